// Outlines as label maps. Relies on data/polygons/annotations.h.
//
// A pixel belongs to an outline when its centre is inside, by the even-odd rule; a centre that lies
// on an edge belongs to the side of larger x (or, on a level edge, of larger y), so that two
// outlines that share an edge share no pixel and leave none out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/codecs/read.h"
#include "data/image/image.h"
#include "data/polygons/annotations.h"

namespace medurwkv::data {

/// The image's objects, by their order, on a background of 0. `labels`: of each class of the file.
/// Throws Error naming `name` for outlines that are too long or too many for the size.
LabelMap paint(const std::string& name, const AnnotatedImage& image, ImageSize size,
               const std::vector<std::uint8_t>& labels);

/// Outlines that somebody should look at.
struct Oddities {
  std::int64_t beyond = 0;    ///< reach more than a pixel beyond the image
  std::int64_t crossing = 0;  ///< cross themselves
};
/// `patience`: pairs of edges that are still compared for crossings, which it is lessened by; where
/// it ends crossings are not looked for any more.
Oddities oddities_of(const AnnotatedImage& image, ImageSize size, std::int64_t& patience);

/// The masks of a file's images, by their names; the images themselves are files of their own. Of a
/// file that is of one image the name is empty.
class PolygonMasks : public PixelStore {
 public:
  /// Every image of the file must have its size. `labels`: of each class of the file.
  PolygonMasks(AnnotationFile file, std::vector<std::uint8_t> labels);

  /// Throws an internal Error: there are none.
  [[nodiscard]] Image image(const std::string& id) const override;
  [[nodiscard]] LabelMap labels(const std::string& id) const override;
  [[nodiscard]] ImageSize size(const std::string& id) const override;
  [[nodiscard]] std::int64_t channels(const std::string& /*id*/) const override { return 1; }

 private:
  [[nodiscard]] const AnnotatedImage& find(const std::string& id) const;

  AnnotationFile file_;
  std::vector<std::uint8_t> labels_;
  std::map<std::string, std::size_t> by_name_;
};

}  // namespace medurwkv::data
