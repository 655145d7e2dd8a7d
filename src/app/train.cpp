#include "app/train.h"

#include "app/training_library.h"
#include "core/error.h"
#include "core/output.h"
#include "core/text.h"

namespace medurwkv::app {
namespace {

void refuse_wrong_ranks(const library::TrainRequest& request) {
  if (request.rendezvous.empty()) {
    if (request.world > 1 || request.rank > 0) {
      throw_usage("--world and --rank need --rendezvous HOST:PORT");
    }
    return;
  }
  refuse_series_of_ranks(request);
  if (request.rank < 0 || request.rank >= request.world) {
    throw_usage(concat("--rank ", request.rank, ": expected 0 to ", request.world - 1,
                       ", below --world ", request.world));
  }
}

}  // namespace

bool holds_training(const OutputPath& out) {
  const auto lies_in_out = [&](const char* name) { return is_there((out / name).path()); };
  return lies_in_out("config.toml") || lies_in_out("last.ckpt") || lies_in_out("run.json") ||
         lies_in_out("series.json");
}

void refuse_series_of_ranks(const library::TrainRequest& request) {
  if (request.folds.empty() && request.seeds <= 1) return;
  throw_usage(
      "processes that train together make one run: start --fold and --seeds one by one "
      "(--fold 1, then --fold 2; --seed 1 ...)");
}

library::TrainResult train_network(library::TrainRequest request, Listener& listener) {
  refuse_wrong_ranks(request);
  if (request.rank == 0 && request.resume && !holds_training(request.out)) {
    throw_failure(concat(request.out.path().string(),
                         ": nothing to resume (no training run in it); name its folder with "
                         "--out"));
  }
  // A resumed run takes its configuration and its split from its own folder unless the request
  // names others.
  if (!request.pictures.empty()) return train(request, listener);  // a pretraining has no split
  if (request.resume && request.split.empty()) request.split = (request.out / "split.json").path();
  if (request.split.empty()) {
    throw_usage(concat("--split is required; `medurwkv data split ", request.data.string(),
                       " --out split.json` makes one"));
  }
  return train(request, listener);
}

}  // namespace medurwkv::app
