// What this machine and this build compute with, as `doctor` and `bench` name it. Relies on
// kernels, native and measure.
#pragma once

#include <string>
#include <vector>

namespace medurwkv::app {

struct Machine {
  std::string medurwkv;               ///< the program's version
  std::string cpu;                    ///< name; "unknown" where the kernel gives none
  std::vector<std::string> features;  ///< flags of the processor that decide which code runs
  int cores = 0;                      ///< that this process may run on
  std::string kernels;                ///< instruction set of our own
  std::string onednn;                 ///< version
  std::string onednn_isa;             ///< instruction set that oneDNN may use

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("medurwkv", self.medurwkv);
    visit("cpu", self.cpu);
    visit("features", self.features);
    visit("cores", self.cores);
    visit("kernels", self.kernels);
    visit("onednn", self.onednn);
    visit("onednn_isa", self.onednn_isa);
  }
};

Machine this_machine();

}  // namespace medurwkv::app
