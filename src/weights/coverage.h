// Which tensors of a file become which tensors of a network, and what is left over on either side:
// loading a pretrained encoder, and going on from a model of ours. Relies on weights/contents.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "net/config.h"
#include "net/parameters.h"
#include "weights/contents.h"
#include "weights/tensor_file.h"

namespace medurwkv::weights {

/// What is done to a tensor on its way into the network.
enum class Change {
  none,
  resized,   ///< position embedding: resized bicubically to another grid
  averaged,  ///< first convolution: the mean over RGB times 3/N for each of N channels
  summed,    ///< first convolution: the sum over RGB for one channel
};

struct UsedTensor {
  std::string name;    ///< in the network
  std::string source;  ///< in the file
  Change change = Change::none;
};

struct MismatchedTensor {
  std::string name, source;
  std::string why;  ///< "384x384, the network has 192x192"
};

/// used + fresh + mismatched are the network's tensors, used + unused + mismatched the file's
/// (without an optimiser's).
struct Coverage {
  std::vector<UsedTensor> used;
  std::vector<std::string> fresh;   ///< of the network, not in the file: they keep start values
  std::vector<std::string> unused;  ///< of the file, without a place in the network
  std::vector<MismatchedTensor> mismatched;  ///< same name, but no fit: start values, too
};

/// The encoder of `config` (a Med-URWKV with the tensors `specs`) from a file of any kind that
/// contents_of knows. The rest of the network is fresh. Throws Error, naming the file, when the
/// file holds no encoder, when any tensor of the encoder's blocks does not fit or is missing (but a
/// layer scale, which keeps its start value), and when the file's blocks have a layer scale or key
/// norms that the network lacks.
Coverage cover_encoder(const TensorIndex& file, const Contents& contents,
                       const net::NetworkConfig& config,
                       const std::vector<net::ParameterSpec>& specs);

/// Every tensor of `config` from a model file of ours for the network `from`. Classes and channels
/// may differ. Throws Error, naming the file, when anything else does.
Coverage cover_network(const TensorIndex& file, const net::NetworkConfig& from,
                       const net::NetworkConfig& config,
                       const std::vector<net::ParameterSpec>& specs);

/// Every tensor of the network `config` from a file that holds that network; counters of batches
/// may be missing. Throws Error, naming the file, when another is missing or of another shape, and
/// when the file's blocks have tensors that the network lacks.
Coverage cover_whole(const TensorIndex& file, const Contents& contents,
                     const net::NetworkConfig& config,
                     const std::vector<net::ParameterSpec>& specs);

/// `values` of a file's tensor of the shape `from`, row-major, as the network's tensor of the shape
/// `to` takes them.
std::vector<double> changed_values(const std::vector<double>& values, const Shape& from,
                                   Change change, const Shape& to);

/// Throws Error naming the file where `bad` values of its tensor `source` are NaN or infinite.
void refuse_not_finite(const TensorIndex& file, const std::string& source, std::int64_t bad);

/// Tokens of a grid (tokens x `width` channels) resized to another: bicubic with a = -0.75, borders
/// repeated, scale = from / to without aligned corners, as the published code resizes them.
std::vector<double> resize_positions(const std::vector<double>& tokens, net::Grid from,
                                     net::Grid to, std::int64_t width);

/// "used 370, new 12 (0 of the encoder), unused 4, mismatched 0".
std::string summary(const Coverage& coverage);

/// Tensors of the encoder that keep their start values.
std::int64_t fresh_in_encoder(const Coverage& coverage);

/// "resized     encoder.pos_embed from pos_embed", "mismatched  ...".
std::string line(const UsedTensor& tensor);
std::string line(const MismatchedTensor& tensor);

/// One line per tensor: whether it was used, resized, new, unused or mismatched.
std::vector<std::string> listing(const Coverage& coverage);

}  // namespace medurwkv::weights
