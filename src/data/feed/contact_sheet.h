// One picture of what a network will see of a set: images as it gets them, masks over them, the
// augmented samples of training. Relies on data/feed/augment.h and data/image/font.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/listener.h"
#include "core/model_description.h"
#include "data/feed/augment.h"
#include "data/layout/dataset.h"

namespace medurwkv::data {

struct SheetRequest {
  InputContract contract = {};
  AugmentSettings augment = {};
  std::string augment_name = {};  ///< for the heading
  std::uint64_t seed = 0;
  std::int64_t epochs = 5;  ///< augmented samples of each case
};

/// A case and its position among those that are trained on. With the same position, seed and epoch
/// the samples are those of the training.
struct SheetRow {
  Case item;
  std::uint64_t index = 0;
};

/// A row per case: the image as the network gets it without augmentation, the same with its mask,
/// then the sample of each of the first epochs with its mask. Classes are tinted in their colours,
/// with edges in the full colour; ignored pixels are hatched. 8-bit RGB. Throws the first Error by
/// the order of rows, and Stopped.
Image contact_sheet(const Dataset& dataset, const std::vector<SheetRow>& rows,
                    const SheetRequest& request, Listener& listener);

/// Draws a mask over an 8-bit RGB image of its size.
void paint_labels(Image& image, const LabelMap& labels, const std::vector<ClassInfo>& classes);

}  // namespace medurwkv::data
