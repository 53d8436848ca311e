option(STACK_TESTS "Build the tests" ON)
option(STACK_FUZZ "Build only the fuzzers, with clang (tests/fuzz/run.sh)" OFF)
option(STACK_PCH "Use precompiled headers" ON)
set(STACK_SANITIZE "" CACHE STRING "Sanitizers: address,undefined or thread; empty for none")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()
find_program(LLD ld.lld)
if(LLD)
  add_link_options(-fuse-ld=lld)
endif()

add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror
                    -fno-strict-aliasing -fstack-protector-strong)
add_compile_definitions(_GLIBCXX_ASSERTIONS BOOST_ASIO_NO_DEPRECATED)
if(CCACHE)
  add_compile_options(-fpch-preprocess)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  # The engine is in memory as long as containers run, and waits for the kernel and its libraries: small beats fast. What
  # computes by itself asks for -O2 (compose/).
  string(REPLACE "-O3" "-Os" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
  add_compile_options(-ffunction-sections -fdata-sections)
  add_link_options(-Wl,--gc-sections)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # g++ 12 sees overlaps and overruns in inlined std::string code that are not there (gcc bugs 105329, 105651).
    add_compile_options(-Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)
  endif()
endif()
if(STACK_FUZZ)
  # Every call is checked and counted; warnings are g++'s business. -O1 compiles in half the time.
  add_compile_options(-w -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
  set(STACK_SANITIZE "")
endif()
set(STACK_UNIT_TIMEOUT 120)  # seconds for one test program
if(STACK_SANITIZE)
  set(STACK_UNIT_TIMEOUT 900)
  # -g1: reports need lines, not variables, and compile a good deal sooner.
  add_compile_options(-fsanitize=${STACK_SANITIZE} -fno-omit-frame-pointer -g1)
  if(STACK_SANITIZE STREQUAL "thread")
    add_compile_options(-Wno-tsan)  # Asio has fences, of which ThreadSanitizer knows nothing
  endif()
  add_link_options(-fsanitize=${STACK_SANITIZE})
endif()
