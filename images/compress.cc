#include "images/compress.h"

#include <isa-l/igzip_lib.h>

#include <vector>

namespace stack::images {

Status gzip(ByteSource& from, ByteSink& to) {
  std::vector<std::uint8_t> work(ISAL_DEF_LVL1_DEFAULT);
  std::string output(256U << 10U, '\0');
  isal_zstream stream;
  isal_deflate_init(&stream);
  stream.level = 1;
  stream.level_buf = work.data();
  stream.level_buf_size = static_cast<std::uint32_t>(work.size());
  stream.gzip_flag = IGZIP_GZIP;
  stream.flush = NO_FLUSH;
  bool ended = false;
  while (!ended) {
    const std::string_view piece = TRY(from.next());
    ended = piece.empty();
    stream.end_of_stream = ended ? 1 : 0;
    stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(piece.data()));
    stream.avail_in = static_cast<std::uint32_t>(piece.size());
    do {
      stream.next_out = reinterpret_cast<std::uint8_t*>(output.data());
      stream.avail_out = static_cast<std::uint32_t>(output.size());
      if (isal_deflate(&stream) != COMP_OK)
        return Error::make(ErrorKind::kInternal, "compressing a layer failed");
      TRY(to.write(std::string_view(output).substr(0, output.size() - stream.avail_out)));
    } while (stream.avail_out == 0 || (ended && stream.internal_state.state != ZSTATE_END));
  }
  return ok_status();
}

}  // namespace stack::images
