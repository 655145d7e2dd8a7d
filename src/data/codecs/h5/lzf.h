// The LZF filter of HDF5 (h5py's compression="lzf"), reading alone. Relies on hdf5.h and liblzf.
#pragma once

#include <hdf5.h>

#include <cstddef>

inline constexpr H5Z_filter_t lzf_filter = 32000;

/// Registers the filter with HDF5. Throws std::runtime_error when HDF5 does not take it.
void register_lzf();

/// Bytes of a whole chunk as an array's filter says them; 0 when it says none.
std::size_t lzf_chunk_bytes(std::size_t count, const unsigned* values);
