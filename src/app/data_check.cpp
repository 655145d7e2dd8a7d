#include "app/data_check.h"

#include <nlohmann/json.hpp>

#include "app/places.h"
#include "core/output.h"
#include "data/check/repair.h"
#include "data/split/split.h"

namespace medurwkv::app {

CheckResult check_data(const CheckRequest& request, Listener& listener) {
  data::CheckOptions options{dataset_options(request.set), request.split, request.against};
  if (!request.split.empty() && !options.dataset.encoding && options.dataset.classes.empty()) {
    options.dataset = data::split_options(request.split);
  }
  if (!request.fix.empty()) {
    refuse_within(request.fix, {request.set.folder, request.against});
    data::check_repair_folder(request.fix);
    check_output(request.fix / "repairs.json", false);
  }
  const data::Examination set = data::examine(request.set.folder, options.dataset, listener);
  CheckResult out{.report = data::report_on(set, options, listener)};
  if (!request.fix.empty()) {
    const data::RepairReport repaired = data::write_repaired(set, request.fix, listener);
    out.repaired = Repaired{.written = repaired.written,
                            .repairs = repaired.repairs.size(),
                            .report = data::check_dataset(request.fix, {}, listener)};
  }
  return out;
}

nlohmann::json answer_of(const CheckRequest& request, const CheckResult& result) {
  nlohmann::json out = data::to_json(result.report);
  out["sound"] = result.is_sound();
  if (result.repaired) {
    out["fixed"] = {{"folder", request.fix.string()},
                    {"pairs", result.repaired->written},
                    {"repairs", result.repaired->repairs},
                    {"errors", result.repaired->report.errors()}};
  }
  return out;
}

}  // namespace medurwkv::app
