// What is measured between two surfaces: distances of borders, elements of contours, bands along
// them. Relies on judge/distance.h.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "judge/distance.h"

namespace medurwkv::judge {

/// Distances from each pixel of one border to the nearest of the other, in units of spacing.
struct SurfaceDistances {
  std::vector<double> from_truth;
  std::vector<double> from_prediction;
};
/// Neither mask may be empty. Consumes the masks, to save memory.
SurfaceDistances surface_distances(Mask truth, Mask prediction, Spacing spacing,
                                   Neighbours neighbours = Neighbours::four);

/// Of all distances of both borders, the share that is at most `tolerance`.
double within_tolerance(const SurfaceDistances& distances, double tolerance);
/// The mean over the pixels of both borders.
double mean_distance(const SurfaceDistances& distances);

/// Boundary IoU (Cheng et al., CVPR 2021), as the authors' code: IoU of the inner bands of truth
/// and prediction. A band is a mask minus its erosion by a square of (2 `reach` + 1)^2 pixels;
/// everything beyond the image is outside. Absent when both masks are empty.
std::optional<double> boundary_iou(const Mask& truth, const Mask& prediction, std::int64_t reach);
/// 2 % of the diagonal in pixels, rounded (a half to the even one), at least 1.
std::int64_t boundary_reach(std::int64_t width, std::int64_t height);

/// A contour as elements between pixels' corners, each with the length it stands for and its
/// distance to the nearest corner of the other contour (Nikolov et al. 2018, `surface-distance`):
/// a corner belongs to the contour when its four pixels are not all in or all out.
struct ContourElement {
  double distance = 0;
  double length = 0;
};
struct Contours {
  std::vector<ContourElement> truth, prediction;  ///< sorted by distance, then length
};
/// Neither mask may be empty.
Contours contours(const Mask& truth, const Mask& prediction, Spacing spacing);

/// For each contour the distance within which `fraction` of its length lies; the larger of the two.
double robust_hausdorff(const Contours& contours, double fraction);
/// Of the length of both contours, the share whose distance is at most `tolerance`.
double within_tolerance(const Contours& contours, double tolerance);
/// The mean distance along one contour.
double mean_distance(const std::vector<ContourElement>& contour);

}  // namespace medurwkv::judge
