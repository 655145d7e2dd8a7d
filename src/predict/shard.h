// A prediction shared out: which images are a shard's, and how the manifests of all shards become
// one. Relies on the other files of predict.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "core/listener.h"
#include "predict/outputs.h"

namespace medurwkv::predict {

/// Reads "2/8". Throws a usage Error unless it is I/N with I from 1 to N.
Shard shard_from(const std::string& text);

/// The shard, 1 to `count`, of the image whose mask has this name within the output folder. It
/// follows from the name alone, so it is the same on every machine and for every list.
int shard_of(const std::filesystem::path& mask, int count);

/// Keeps the shard's jobs, each with its place in the whole list, which is described.
PartOfList take_shard(std::vector<Job>& jobs, const Shard& shard);

struct Merged {
  int shards = 0;
  std::size_t images = 0;  ///< in all, failed ones included
  std::size_t failed = 0;
  std::filesystem::path manifest;
};

/// Joins the manifests of all shards in `out` to manifest.json, which is then what one run over the
/// whole list would have written. Every image of the list must be in it once, and every file that a
/// shard has written must still be what its manifest says. The same manifest.json may be there
/// already; another one needs `force`. Throws Error that names the shards, images or files that are
/// missing, doubled or other than they should be, and Stopped.
Merged merge_shards(const std::filesystem::path& out, bool force, Listener& listener);

}  // namespace medurwkv::predict
