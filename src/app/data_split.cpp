#include "app/data_split.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "app/places.h"
#include "core/error.h"
#include "core/output.h"
#include "core/text.h"
#include "data/check/examine.h"
#include "data/layout/layout.h"

namespace medurwkv::app {
namespace {

data::SplitRequest request_of(const SplitDataRequest& request, const data::Dataset& dataset) {
  const std::array<double, 3> ratios = request.ratios.value_or(std::array{0.7, 0.1, 0.2});
  data::SplitRequest out{.ratios = {ratios[0], ratios[1], ratios[2]},
                         .folds = request.folds,
                         .seed = request.seed,
                         .group_by = request.group_by};
  out.official = data::has_official_parts(dataset) && !request.ratios && request.test == 0;
  if (request.folds > 0) out.ratios.test = request.test;
  return out;
}

/// Notes on cases that the set's own parts leave out.
std::vector<std::string> notes_on(const data::Dataset& dataset, const data::SplitPlan& plan) {
  std::vector<std::string> out;
  if (!plan.request.official) return out;
  if (!plan.leaks.empty()) {
    out.push_back(
        concat(counted(std::ssize(plan.leaks), "case"),
               " of the set's own train or val shared an image, a look-alike or a patient "
               "with a part that is judged on and left out: ",
               plan.leaks.front(), plan.leaks.size() > 1 ? ", ..." : ""));
  }
  const auto none = std::count_if(dataset.cases.begin(), dataset.cases.end(),
                                  [](const data::Case& item) { return item.part.empty(); });
  if (none > 0)
    out.push_back(concat(counted(none, "case"), " that the set puts in no part left out"));
  return out;
}

}  // namespace

SplitDataResult split_data(const SplitDataRequest& request, Listener& listener) {
  check_output(request.out, request.force);
  if (request.folds > 0 && request.ratios) {
    throw_usage("--folds makes parts of one size; leave --ratios out (--test SHARE keeps a test)");
  }
  if (request.folds == 0 && request.test > 0) {
    throw_usage("--test is for --folds; without folds --ratios TRAIN,VAL,TEST has it");
  }
  // Mistakes that names alone show are reported before any file is read.
  data::Dataset names;
  names.root = request.set.folder;
  names.cases = data::find_layout(request.set.folder, dataset_options(request.set).plane).cases;
  const data::SplitRequest parts = request_of(request, names);
  if (!names.cases.empty()) data::check_request(names, parts);
  data::Examination set = open_set(request.set, listener);
  SplitDataResult out;
  out.plan = data::make_split(set.dataset, data::traits_of(set), parts, listener);
  out.dataset = std::move(set.dataset);
  say_notes(notes_on(out.dataset, out.plan), listener);
  out.json = data::split_to_json(out.dataset, out.plan);
  prepare_file(request.out);
  // A --group-by that is not UTF-8 has done its work; here it is written with U+FFFD.
  write_file(request.out,
             out.json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  return out;
}

}  // namespace medurwkv::app
