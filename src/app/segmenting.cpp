#include "app/segmenting.h"

#include "app/training_library.h"
#include "core/memory.h"
#include "core/text.h"
#include "core/threads.h"

namespace medurwkv::app {

namespace fs = std::filesystem;

std::vector<Member> members_of(const Segmenting& request, Listener& listener) {
  std::vector<fs::path> named{request.model};
  named.insert(named.end(), request.others.begin(), request.others.end());
  std::vector<Member> out;
  for (const fs::path& one : named) {
    for (Member& member : members_of(one)) {
      if (member.model != one) {
        listener.line(concat("note: model ", member.model.string()));
      }
      out.push_back(std::move(member));
    }
  }
  return out;
}

std::vector<std::unique_ptr<Engine>> open_engines(const Segmenting& request,
                                                  const std::vector<Member>& members) {
  std::vector<std::unique_ptr<Engine>> out;
  out.reserve(members.size());
  for (const Member& member : members) {
    out.push_back(open_engine({.model = member.model,
                               .device = request.device,
                               .threads = request.threads > 0 ? request.threads : available_cores(),
                               .memory = memory_limit()}));
  }
  return out;
}

std::string options_text(const Segmenting& request) {
  std::string out;
  for (const fs::path& one : request.others) {
    out += concat(" --ensemble ", shell_quoted(one.string()));
  }
  if (request.flips) out += " --tta";
  const predict::PostOptions& post = request.post;
  if (post.threshold) out += concat(" --threshold ", *post.threshold);
  if (post.fill_holes) out += " --fill-holes";
  if (post.largest) out += " --largest";
  if (post.min_area > 0) out += concat(" --min-area ", post.min_area);
  return out;
}

}  // namespace medurwkv::app
