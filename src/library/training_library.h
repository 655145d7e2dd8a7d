// The C interface between the program and the training library. The program opens the library at
// run time, so that it starts without LibTorch; no LibTorch type and no exception crosses this
// line. Requests are JSON texts of library/requests.h, answers are JSON texts. Relies on nothing.
#pragma once

#include <cstdint>

extern "C" {

/// What the program offers to the library. Every call comes from the thread that called the
/// library.
struct MedurwkvHost {
  void* user;
  /// A line for people ("epoch 3/40 ...").
  void (*line)(void* user, const char* text);
  /// `done` of `total` steps of the work `what`.
  void (*progress)(void* user, const char* what, std::int64_t done, std::int64_t total,
                   const char* detail);
  /// Machine-readable result of a call.
  void (*deliver)(void* user, const char* json);
  /// The number of the signal that asks to stop, or 0.
  int (*stop_signal)(void* user);
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

/// Everything the library can do. Requests are the JSON texts of library/requests.h, results those
/// of library/results.h.
/// `abi` must equal medurwkv_training_abi.
struct MedurwkvTrainingLibrary {
  int abi;
  /// Delivers library::LibraryDescription.
  void (*describe)(const MedurwkvHost* host, MedurwkvStatus* status);
  /// Trains: library::TrainRequest. Delivers TrainResult.
  void (*train)(const char* request, const MedurwkvHost* host, MedurwkvStatus* status);
  /// Opens a model file for running: library::EngineRequest. Refuses what does not fit. Delivers
  /// what core/model_description.h holds.
  MedurwkvEngine* (*open_engine)(const char* request, const MedurwkvHost* host,
                                 MedurwkvStatus* status);
  /// Engine::memory (core/engine.h) of `images` images; 0 where it fails.
  std::int64_t (*engine_memory)(MedurwkvEngine* engine, std::int64_t images, std::int64_t height,
                                std::int64_t width, MedurwkvStatus* status);
  /// Engine::run: from images x channels x height x width to images x outputs x height x width.
  void (*run_engine)(MedurwkvEngine* engine, const float* input, std::int64_t images,
                     std::int64_t height, std::int64_t width, float* logits,
                     MedurwkvStatus* status);
  void (*close_engine)(MedurwkvEngine* engine);
  /// Measures a network: library::BenchRequest. Delivers BenchResult.
  void (*bench)(const char* request, const MedurwkvHost* host, MedurwkvStatus* status);
  /// Writes the maps and logits of arrays: library::FeaturesRequest. Delivers FeaturesResult.
  void (*features)(const char* request, const MedurwkvHost* host, MedurwkvStatus* status);
};

/// The library's one exported function.
__attribute__((visibility("default"))) const MedurwkvTrainingLibrary* medurwkv_training_library();

}  // extern "C"

inline constexpr int medurwkv_training_abi = 10;
inline constexpr char medurwkv_training_symbol[] = "medurwkv_training_library";
