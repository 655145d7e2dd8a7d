#include "cli/decisions.h"

#include <cstdint>

namespace medurwkv::cli {

void add_decisions(CLI::App& command, app::Segmenting& how) {
  predict::PostOptions& post = how.post;
  command
      .add_option("--threshold", post.threshold,
                  "foreground where a foreground class has this probability (default: the "
                  "likeliest class)")
      ->check(number(1e-6, 1));
  command.add_flag("--fill-holes", post.fill_holes, "fill background that one object encloses");
  command.add_flag("--largest", post.largest, "keep the largest object of each class");
  command.add_option("--min-area", post.min_area, "drop objects of fewer pixels")
      ->check(whole(1, std::int64_t{1} << 40));
  command.add_flag("--tta", how.flips,
                   "average over the image and its three mirror images (four times the time)");
  command
      .add_option("--tile", how.tile,
                  "see images by overlapping tiles of this side in pixels: for models trained with "
                  "input.fit native or tile (default: of tile, the size trained on; of native, "
                  "whole images)")
      ->check(whole(32, 16384));
  command
      .add_option("--ensemble", how.others,
                  "average with this model or run, too (repeatable; same classes)")
      ->allow_extra_args(false);
}

}  // namespace medurwkv::cli
