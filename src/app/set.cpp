#include "app/set.h"

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "data/check/faults.h"
#include "data/check/open.h"
#include "data/split/split.h"

namespace medurwkv::app {

data::DatasetOptions dataset_options(const SetRequest& request) {
  data::DatasetOptions out =
      data::dataset_options(request.encoding, request.class_names, request.class_file);
  if (!request.plane.empty()) out.plane = plane_from(request.plane);
  return out;
}

void say_notes(const std::vector<std::string>& notes, Listener& listener) {
  for (const std::string& one : notes) listener.line("note: " + one);
}

data::Examination open_set(const SetRequest& request, Listener& listener) {
  data::Examination out = data::open_examined(request.folder, dataset_options(request), listener);
  say_notes(out.dataset.notes, listener);
  return out;
}

data::Dataset open_split_set(const SetRequest& request, const std::filesystem::path& split,
                             Listener& listener) {
  data::DatasetOptions options = dataset_options(request);
  const data::DatasetOptions of_split = data::split_options(split);
  if (options.plane && options.plane != of_split.plane) {
    throw_usage(concat(split.string(), ": was made of ", to_string(*of_split.plane),
                       " slices; leave --plane out, or split the set again with --plane ",
                       request.plane));
  }
  if (!options.encoding && options.classes.empty()) options = of_split;
  options.plane = of_split.plane;
  data::Dataset out = data::open_dataset(request.folder, options);
  say_notes(out.notes, listener);
  return out;
}

}  // namespace medurwkv::app
