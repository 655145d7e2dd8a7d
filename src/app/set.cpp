#include "app/set.h"

#include "core/text.h"
#include "data/check/faults.h"
#include "data/check/open.h"
#include "data/split/split.h"

namespace medurwkv::app {

data::DatasetOptions dataset_options(const SetRequest& request) {
  return data::dataset_options(request.encoding, request.class_names, request.class_file);
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
  if (!options.encoding && options.classes.empty()) options = data::split_options(split);
  data::Dataset out = data::open_dataset(request.folder, options);
  say_notes(out.notes, listener);
  return out;
}

}  // namespace medurwkv::app
