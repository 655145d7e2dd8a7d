// What the system says about the machine and about this process. Relies on core.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace medurwkv::measure {

/// What follows the colon in the first line of `file` that begins with `key`; "unknown" without
/// one.
std::string line_of(const std::string& file, const std::string& key);

/// The processor's name; "unknown" where the kernel gives none (ARM).
std::string cpu_model();

/// Out of the processor's flags those that decide which code runs: our kernels (kernels/isa.h),
/// oneDNN's and LibTorch's (the 16-bit and 8-bit ones). Empty on other processors than x86-64.
std::vector<std::string> cpu_features();

/// The most bytes of physical memory that the process held while `run` ran, all that it held before
/// included. Where /proc/self/clear_refs cannot be written: the most since its start.
std::int64_t peak_memory_of(const std::function<void()>& run);

}  // namespace medurwkv::measure
