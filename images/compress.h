// Compressing a layer for a registry.
#pragma once

#include "images/byte_stream.h"

namespace stack::images {

// Reads a source to its end and writes it as one gzip member.
Status gzip(ByteSource& from, ByteSink& to);

}  // namespace stack::images
