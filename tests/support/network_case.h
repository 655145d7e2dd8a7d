// A network and a size of its input, as tests that run whole plans are given them.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "net/presets.h"

namespace medurwkv::test {

struct NetworkCase {
  net::NetworkConfig network;
  std::int64_t batch = 1, height = 64, width = 64;
};

inline void PrintTo(const NetworkCase& one, std::ostream* out) {
  *out << net::to_string(one.network.architecture) << " " << one.network.preset << ", " << one.batch
       << " of " << one.network.channels << " x " << one.height << " x " << one.width << ", "
       << net::to_string(one.network.wkv);
}

/// Of three classes.
inline NetworkCase network_case(const std::string& preset, std::int64_t height, std::int64_t width,
                                std::int64_t channels = 3, net::WkvMode mode = net::WkvMode::exact,
                                std::int64_t batch = 1) {
  NetworkCase out{.network = net::preset(preset, 3, channels),
                  .batch = batch,
                  .height = height,
                  .width = width};
  out.network.wkv = mode;
  return out;
}

}  // namespace medurwkv::test
