#include "cli/data.h"

#include "core/model_description.h"
#include "core/text.h"

namespace medurwkv::cli {

void add_set_options(CLI::App& command, app::SetRequest& set) {
  command.add_option("folder", set.folder, "folder of images and masks")->required();
  add_mask_options(command, set);
  add_plane_option(command, set);
}

void add_plane_option(CLI::App& command, app::SetRequest& set) {
  std::vector<std::string> names;
  for (const Plane plane : all_planes) names.emplace_back(to_string(plane));
  command
      .add_option("--plane", set.plane,
                  "into which slices of the patient volumes are cut: axial, coronal or sagittal; "
                  "default: as stored, or as the split or pack says")
      ->check(CLI::IsMember(names));
}

void add_mask_options(CLI::App& command, app::SetRequest& set) {
  command.add_option("--mask-encoding", set.encoding,
                     "what mask values mean: binary (0 and 255), index (the value is the class), "
                     "palette, colors, one-hot or instances; default: decided over all masks");
  command.add_option_function<std::string>(
      "--class-names",
      [&set](const std::string& names) {
        set.class_names = split(names, ',');
        for (std::string& name : set.class_names) name = trim(name);
      },
      "names by index, background first: background,lesion");
  command
      .add_option("--classes", set.class_file,
                  "file of classes: lines name:red,green,blue (labelmap.txt), or TOML")
      ->check(CLI::ExistingFile);
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
