#include "cli/data.h"

#include <vector>

#include "core/text.h"

namespace medurwkv::cli {

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

std::string counted(std::int64_t count, const std::string& thing) {
  return concat(with_thousands(count), " ", thing, count == 1 ? "" : "s");
}

void add_data(CLI::App& root) {
  CLI::App* data = add_command(root, "data", "Check, split, pack and look at a set of images and masks.",
                               "medurwkv data check FOLDER");
  data->require_subcommand(1);
  add_data_check(*data);
  add_data_split(*data);
  add_data_pack(*data);
  add_data_preview(*data);
}

}  // namespace medurwkv::cli
