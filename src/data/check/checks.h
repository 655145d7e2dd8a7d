// The checks that look at more than one case; data/check/faults.cpp puts them together. Relies on
// data/check/examine.h.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/listener.h"
#include "data/check/examine.h"
#include "data/check/fault.h"

namespace medurwkv::data {

/// Files without partner, names that collide or cannot be written, kinds that are not read.
void check_names(const Layout& layout, std::vector<Fault>& faults);

/// Masks as a set: their encoding, classes that are missing or rare, shapes unlike all others'.
void check_masks(const Examination& set, std::vector<Fault>& faults);

/// Volumes: where they lie, labels that are floats, series in one folder, whose they are, text in
/// pixels.
void check_volumes(const Examination& set, std::vector<Fault>& faults);

/// Images unlike all others: other channels, other depth.
void check_kinds(const Examination& set, std::vector<Fault>& faults);

/// An earlier case (by position) with the same image.
struct Twin {
  std::size_t other = 0;
  bool equal = false;   ///< the same contents; else they look alike
  Likeness likeness{};  ///< of images that look alike
};

/// The twins of each case: the first equal one and all that look alike. Throws Stopped.
std::vector<std::vector<Twin>> find_twins(const Examination& set, Listener& listener);

/// Part of each case (by position), empty for none.
using Parts = std::vector<std::string>;

/// The parts that the set's own folders or lists give.
Parts parts_of_set(const Examination& set);

/// The parts that a split file gives, its disagreements with the set as faults. A split of k folds
/// gives the parts "fold 1" to "fold k" and "test". Throws Error for a file that is no split.
Parts parts_of_split(const Examination& set, const std::filesystem::path& split,
                     std::vector<Fault>& faults);

/// Equal images and images that look alike, as leaks where their parts differ; equal masks of other
/// images. Images of one group may look alike. Throws Stopped.
void check_twins(const Examination& set, const Parts& parts, Listener& listener,
                 std::vector<Fault>& faults);

/// Only equal images with different masks.
void check_other_masks(const Examination& set, std::vector<Fault>& faults);

/// Names that look like slices of patients, where no groups are known.
void check_for_patients(const Examination& set, std::vector<Fault>& faults);

/// Groups (patients) in more than one part.
void check_groups(const Examination& set, const Parts& parts, std::vector<Fault>& faults);

/// What two sets share. Throws Stopped.
void check_overlap(const Examination& set, const Examination& other, Listener& listener,
                   std::vector<Fault>& faults);

}  // namespace medurwkv::data
