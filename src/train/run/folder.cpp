#include "train/run/folder.h"

#include <unistd.h>

#include <map>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::train {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

void check_seconds(double seconds) {
  constexpr double most = 1e12;
  if (!(seconds >= 0 && seconds < most)) throw_failure(concat("seconds = ", seconds));
}

}  // namespace

json parsed_record(const std::string& text) {
  try {
    json out = json::parse(text);
    if (out.at("configuration").get<std::string>().empty()) throw_failure("no configuration");
    static_cast<void>(out.at("split_sha256").get<std::string>());
    check_seconds(out.at("seconds").get<double>());
    for (const auto& [part, seconds] : out.value("seconds_in", std::map<std::string, double>())) {
      check_seconds(seconds);
    }
    if (const json initial = out.value("initial_weights", json::object()); !initial.empty()) {
      static_cast<void>(initial.at("option").get<std::string>());
      const char* const hash = initial.contains("sha256") ? "sha256" : "content_sha256";
      static_cast<void>(initial.at(hash).get<std::string>());
    }
    return out;
  } catch (const json::exception& error) {
    throw_failure(error.what());
  }
}

UnusedFolder::UnusedFolder(OutputPath folder, std::vector<std::string> files)
    : folder_(std::move(folder)), files_(std::move(files)) {
  const fs::path path = folder_.path();
  fs::path at = path.has_filename() ? path : path.parent_path();
  while (!at.empty() && !is_there(at)) {
    made_.push_back(at);
    at = at.parent_path();
  }
  std::erase_if(files_, [&](const std::string& file) { return is_there(path / file); });
}

UnusedFolder::~UnusedFolder() {
  if (!owned_) return;
  for (const std::string& file : files_) {
    try {
      remove_file(folder_ / file);
    } catch (const Error&) {
      return;  // what stays does no harm
    }
  }
  for (const fs::path& folder : made_) {
    if (::rmdir(folder.c_str()) != 0) return;  // somebody else uses it
  }
}

RunFolder::RunFolder(const OutputPath& folder, bool resume)
    : folder_(folder),
      path_(folder.path()),
      unused_(folder_, {"split.json", "run.json"}),
      lock_(prepared(folder_, resume)) {
  // The lock is held: what lies there half written is of a run that was killed.
  unused_.own();
  remove_leftovers(folder_, {"split.json", "config.toml", "last.ckpt", "best.model", "run.json",
                             "log.csv", "curves.svg", "validation.png", "best.png"});
}

const OutputPath& RunFolder::prepared(const OutputPath& folder, bool resume) {
  const fs::path path = folder.path();
  const bool has_run = is_there(path / "last.ckpt") || is_there(path / "config.toml");
  if (resume && !has_run && !is_there(path / "run.json")) {
    throw_failure(concat(path.string(), ": nothing to resume (no training run in it)"));
  }
  if (!resume && has_run) {
    throw_usage(concat(path.string(),
                       ": holds a training run already; go on with --resume or "
                       "choose another --out"));
  }
  make_folder(folder);
  return folder;
}

json RunFolder::record() const {
  const fs::path file = path_ / "run.json";
  if (!is_there(file)) return json::object();
  const std::string text = read_file(file);
  try {
    return parsed_record(text);
  } catch (const Error& error) {
    throw_failure(concat(
        file.string(), ": is damaged (", shown(error.what()), "); ",
        has_checkpoint() ? "delete it and resume again: last.ckpt holds the run, only the time it "
                           "has taken so far is lost"
                         : "nothing of the run was saved yet: start it anew with another --out"));
  }
}

}  // namespace medurwkv::train
