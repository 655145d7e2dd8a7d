#include "cli/data.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::cli {

namespace fs = std::filesystem;

void add_set_options(CLI::App& command, SetOptions& options) {
  command.add_option("folder", options.folder, "folder of images and masks")->required();
  command.add_option("--mask-encoding", options.encoding,
                     "what mask values mean: binary (0 and 255), index (the value is the class), "
                     "palette, colors or instances; default: decided over all masks");
  command.add_option("--class-names", options.class_names,
                     "names by index, background first: background,lesion");
  command
      .add_option("--classes", options.class_file,
                  "file of classes: lines name:red,green,blue (labelmap.txt), or TOML")
      ->check(CLI::ExistingFile);
}

data::DatasetOptions dataset_options(const SetOptions& options) {
  return data::dataset_options(
      options.encoding,
      options.class_names.empty() ? std::vector<std::string>{} : split(options.class_names, ','),
      options.class_file);
}

void check_output(const fs::path& file, bool force) {
  if (fs::is_directory(file)) throw_usage(concat(file.string(), ": is a folder; name a file"));
  std::error_code ignored;
  if (fs::exists(file, ignored) && !force) {
    throw_usage(concat(file.string(), ": exists already; --force replaces it"));
  }
  fs::path folder = fs::absolute(file).parent_path();
  while (!fs::exists(folder, ignored) && folder.has_relative_path()) folder = folder.parent_path();
  if (!fs::is_directory(folder)) throw_failure(concat(folder.string(), ": is not a folder"));
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    throw_failure(concat(folder.string(),
                         ": cannot write into it: ", std::generic_category().message(errno)));
  }
}

std::string counted(std::int64_t count, const std::string& thing) {
  return concat(with_thousands(count), " ", thing, count == 1 ? "" : "s");
}

void add_data(CLI::App& root) {
  CLI::App* data =
      add_command(root, "data", "Check, split, pack and look at a set of images and masks.",
                  "medurwkv data check FOLDER");
  data->require_subcommand(1);
  add_data_check(*data);
  add_data_split(*data);
  add_data_pack(*data);
  add_data_preview(*data);
}

}  // namespace medurwkv::cli
