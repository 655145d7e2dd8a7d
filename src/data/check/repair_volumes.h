// A copy of a set of volumes without their headers, behind `data check --fix`. Relies on
// data/check/repair.h.
#pragma once

#include <filesystem>

#include "core/listener.h"
#include "data/check/repair.h"

namespace medurwkv::data {

/// Whether every case is of volumes: NIfTI, NRRD, MetaImage, DICOM.
bool holds_volumes_alone(const Examination& set);

/// Writes images/ID.nii.gz (ID_0000.nii.gz and so on of several files) and labels/ID.nii.gz into
/// `out`, below train/, val/ and test/ where the set has parts. They hold voxels and where these
/// lie, and nothing else of a header; names of patients in names of files are replaced
/// (core/identity.h). Left out, and listed, are volumes with a slice that cannot be trusted, and
/// those in colours. Throws as write_repaired.
RepairReport write_volumes_anew(const Examination& set, const std::filesystem::path& out,
                                Listener& listener);

}  // namespace medurwkv::data
