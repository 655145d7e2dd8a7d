#include "app/data_pack.h"

#include <iterator>

#include "app/places.h"
#include "core/output.h"
#include "data/layout/pack.h"

namespace medurwkv::app {

PackResult pack_data(const PackRequest& request, Listener& listener) {
  refuse_within(request.out, {request.set.folder});
  check_output(request.out, request.force);
  const data::Dataset dataset = open_set(request.set, listener).dataset;
  prepare_file(request.out);
  data::write_pack(dataset, request.out, listener);
  return {std::ssize(dataset.cases), std::filesystem::file_size(request.out)};
}

}  // namespace medurwkv::app
