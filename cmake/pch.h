// Standard headers that nearly every file uses. Each file still includes what it uses: the preset
// nopch checks it.
#pragma once
#include <fmt/core.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>
