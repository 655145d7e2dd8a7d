// The C interface between the program and the training library. The program opens the library at
// run time, so that it starts without LibTorch; no LibTorch type and no exception crosses this
// line. Requests and answers are JSON texts. Relies on nothing.
#pragma once

#include <cstdint>

extern "C" {

/// What the program offers to the library. Every call may come from the thread that called in.
struct MedurwkvHost {
  void* user;
  /// A line for people ("epoch 3/40 ...").
  void (*line)(void* user, const char* text);
  /// `done` of `total` steps of the present work.
  void (*progress)(void* user, std::int64_t done, std::int64_t total, const char* detail);
  /// Machine-readable result of a call.
  void (*deliver)(void* user, const char* json);
  /// The number of the signal that asks to stop, or 0.
  int (*stop_signal)(void* user);
  /// Runs, once, the matrix product that the program measures the machine with (for bench).
  void (*matrix_product)(void* user);
};

/// How a call ended.
enum MedurwkvOutcome : int {
  medurwkv_done = 0,
  medurwkv_failure = 1,
  medurwkv_usage = 2,
  medurwkv_internal = 3,
  medurwkv_stopped = 4,
};

struct MedurwkvStatus {
  MedurwkvOutcome outcome;
  int signal;          ///< for medurwkv_stopped
  char message[2048];  ///< one line; empty when done
};

struct MedurwkvEngine;

/// Everything the library can do. `abi` must equal medurwkv_training_abi.
struct MedurwkvTrainingLibrary {
  int abi;
  /// Delivers {"libtorch": version, "devices": [...], "blas": ..., "onednn": ...}.
  void (*describe)(const MedurwkvHost* host, MedurwkvStatus* status);
  /// Trains. Request: {"data", "split", "out", "config", "settings": [...], "device", "threads",
  /// "pretrained", "init", "names", "folds", "seeds", "resume", "max_minutes", "save_every",
  /// "cache", "memory"}. Delivers a summary of the run or runs.
  void (*train)(const char* request, const MedurwkvHost* host, MedurwkvStatus* status);
  /// Opens a model file for running. Request: {"model", "device", "threads"}. Delivers what
  /// core/model_description.h holds.
  MedurwkvEngine* (*open_engine)(const char* request, const MedurwkvHost* host,
                                 MedurwkvStatus* status);
  /// Logits (classes x height x width, allocated by the caller) of one image.
  void (*run_engine)(MedurwkvEngine* engine, const float* input, std::int64_t height,
                     std::int64_t width, float* logits, MedurwkvStatus* status);
  void (*close_engine)(MedurwkvEngine* engine);
  /// Times kernels and networks on one number of threads. Request: {"preset", "sizes", "threads",
  /// "rounds", "quick", "matrix_flops"}, the last of one call of the host's matrix_product.
  /// Delivers the figures (train/bench.h).
  void (*bench)(const char* request, const MedurwkvHost* host, MedurwkvStatus* status);
  /// Writes the maps and logits of arrays. Request: {"model", "input", "out", "preset", "wkv",
  /// "dtype", "settings": [...], "device", "threads", "force"}. Delivers what was written
  /// (train/features.h).
  void (*features)(const char* request, const MedurwkvHost* host, MedurwkvStatus* status);
};

/// The library's one exported function.
__attribute__((visibility("default"))) const MedurwkvTrainingLibrary* medurwkv_training_library();

}  // extern "C"

inline constexpr int medurwkv_training_abi = 5;
inline constexpr char medurwkv_training_symbol[] = "medurwkv_training_library";
