// The functions of libfmt of which its headers only tell: fmt defines them in this header, for its
// own one source file, and Debian has no archive of that.
#include <fmt/format-inl.h>

template auto fmt::detail::thousands_sep_impl<char>(locale_ref) -> thousands_sep_result<char>;
template auto fmt::detail::decimal_point_impl<char>(locale_ref) -> char;
