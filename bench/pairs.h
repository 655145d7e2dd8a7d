// What is timed against what: bi-WKV against the plain scan and its own modes, operations and
// networks against the same from plain LibTorch operations. Relies on cases.h, yardstick.h
// and plain_ops.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace medurwkv::bench {

struct Setup {
  std::string preset = "tiny";
  int rounds = 15;
};

/// Size of the images and threads of a benchmark.
struct Point {
  std::int64_t size = 256;
  int threads = 1;
  bool operator==(const Point&) const = default;
};

/// What must be reached; absent where nothing was promised.
struct Bar {
  std::optional<double> share;  ///< of the roofline, at least
  std::optional<double> ratio_at_least;
  std::optional<double> ratio_at_most;
};

/// Rows of results: case_figures' fields (yardstick.h) with "peer" {"name", "seconds"}, "ratio" (an
/// estimate), "ratio_of" ("peer / ours" or "ours / peer"), "machine", "threads", and where
/// something was promised "bar" and "met".
using Rows = std::vector<nlohmann::json>;

/// The names of the networks' cases at `point`, in the order of network_rows' index.
std::vector<std::string> network_names(const Setup& setup, const Point& point);
Rows network_rows(const Setup& setup, const Point& point, std::size_t index);

std::vector<std::string> operation_names(const Setup& setup, const Point& point);
Rows operation_rows(const Setup& setup, const Point& point, std::size_t index);

Rows wkv_rows(const Setup& setup, std::int64_t tokens, int threads);

/// Throws an internal Error when a peer computes something else than ours: bi-WKV with its
/// gradient, and a small network.
void check_peers();

/// Threads of our loops, LibTorch, oneDNN and OpenBLAS.
void use_threads(int threads);

/// The processor that OpenBLAS takes this one for; "unknown" of another BLAS.
std::string blas_core();

}  // namespace medurwkv::bench
