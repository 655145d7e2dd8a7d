// Hostile files of outlines: each is refused with its name and a reason, or read right, within two
// seconds and bounded memory (support/hostile.h).
#include <gtest/gtest.h>

#include <sys/wait.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "core/text.h"
#include "data/polygons/annotations.h"
#include "data/polygons/masks.h"
#include "support/hostile.h"
#include "support/outlined_set.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::HostileFile;

struct HostileOutlines {
  AnnotationKind kind;
  HostileFile file;
};

std::string repeated(const std::string& text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string coco(
    const std::string& annotations,
    const std::string& images = R"({"id": 1, "file_name": "a.png", "width": 64, "height": 48})",
    const std::string& categories = R"({"id": 1, "name": "lesion"})") {
  return concat(R"({"images": [)", images, R"(], "annotations": [)", annotations,
                R"(], "categories": [)", categories, "]}");
}

std::string outlined(const std::string& segmentation, const std::string& more = "") {
  return coco(
      concat(R"({"image_id": 1, "category_id": 1, "segmentation": )", segmentation, more, "}"));
}

std::string runs(const std::string& counts, const std::string& size = "[48, 64]") {
  return outlined(concat(R"({"size": )", size, R"(, "counts": )", counts, "}"));
}

std::vector<HostileOutlines> hostile_coco() {
  std::vector<HostileOutlines> out;
  const auto add = [&](const char* what, std::string bytes, const char* named) {
    out.push_back({AnnotationKind::coco, {what, std::move(bytes), named}});
  };
  add("nothing", "", "not JSON");
  add("a number", "7", "no list of images");
  add("a list", "[1, 2]", "no list of images");
  add("brackets without end", repeated("[", 1'000'000), "nested deeper");
  add("objects without end", repeated("{\"a\":", 1'000'000), "nested deeper");
  add("a deep annotation", outlined(repeated("[", 500) + repeated("]", 500)), "nested deeper");
  add("nested images", R"({"images": [)" + repeated("[", 100'000), "nested deeper");
  add("not a number", outlined("[[0, 0, NaN, 0, 5, 5]]"), "not JSON");
  add("infinite", outlined("[[0, 0, Infinity, 0, 5, 5]]"), "not JSON");
  add("1e308", outlined("[[0, 0, 1e308, 0, 5, 5]]"), "1e+308");
  add("-1e308", outlined("[[0, 0, -1e308, 0, 5, 5]]"), "-1e+308");
  add("1e999", outlined("[[0, 0, 1e999, 0, 5, 5]]"), "not JSON");
  add("a text for a coordinate", outlined(R"([[0, 0, "5", 0, 5, 5]])"), "expected a number");
  add("null for a coordinate", outlined("[[0, 0, null, 0, 5, 5]]"), "expected a number");
  add("an odd polygon", outlined("[[0, 0, 5, 0, 5]]"), "5 numbers");
  add("a flat polygon", outlined("[0, 0, 5, 0, 5, 5]"), "no list of polygons");
  add("points as pairs", outlined("[[[0, 0], [5, 0], [5, 5], [0, 5]]]"), "expected a number");
  add("a text for an outline", outlined(R"("circle")"), "neither polygons nor run lengths");
  add("a box alone", outlined("[]", R"(, "bbox": [1, 1, 5, 5])"), "boxes");
  add("no image's id", coco(R"({"category_id": 1, "segmentation": [[0, 0, 5, 0, 5, 5]]})"),
      "image_id");
  add("no category's id", coco(R"({"image_id": 1, "segmentation": [[0, 0, 5, 0, 5, 5]]})"),
      "category_id");
  add("an unknown category",
      coco(R"({"image_id": 1, "category_id": 2, "segmentation": [[0, 0, 5, 0, 5, 5]]})"),
      "category 2");
  add("an id that holds itself",
      coco(R"({"image_id": {"id": 1}, "category_id": 1,)"
           R"("segmentation": [[0, 0, 5, 0, 5, 5]]})"),
      "image_id");
  add("an annotation that is a list", coco("[1, 2]"), "is no object");
  add("panoptic", coco(R"({"image_id": 1, "file_name": "a.png", "segments_info": []})"),
      "panoptic");
  add("two images of an id",
      coco("", R"({"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"})"), "id 1");
  add("two images of a name",
      coco("", R"({"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"})"), "a.png");
  add("an image without a name", coco("", R"({"id": 1})"), "no file_name");
  add("an image without an id", coco("", R"({"file_name": "a.png"})"), "no id");
  add("a size of a half", coco("", R"({"id": 1, "file_name": "a.png", "width": 0.5, "height": 4})"),
      "0.5 x 4");
  add("a size below zero",
      coco("", R"({"id": 1, "file_name": "a.png", "width": -64, "height": 48})"), "-64 x 48");
  add("a size of 1e300",
      coco("", R"({"id": 1, "file_name": "a.png", "width": 1e300, "height": 1})"), "1e+300");
  add("two categories of an id",
      coco("", R"({"id": 1, "file_name": "a.png"})",
           R"({"id": 1, "name": "a"}, {"id": 1, "name": "b"})"),
      "two categories");
  add("two categories of a name",
      coco("", R"({"id": 1, "file_name": "a.png"})",
           R"({"id": 1, "name": "a"}, {"id": 2, "name": "a"})"),
      "two categories");
  add("a category without a name", coco("", R"({"id": 1, "file_name": "a.png"})", R"({"id": 1})"),
      "no name");
  std::string categories = R"({"id": 0, "name": "0"})";
  for (int i = 1; i < 20'000; ++i) {
    categories += concat(R"(,{"id":)", i, R"(,"name":")", i, R"("})");
  }
  add("20000 categories", coco("", R"({"id": 1, "file_name": "a.png"})", categories),
      "more than 10000");
  add("two lists of images", R"({"images": [], "images": [], "annotations": []})",
      "two members images");
  add("no images",
      R"({"annotations": [{"image_id": 1, "category_id": 1, "segmentation": [[1, 2, 3, 4, 5, 6]]}]})",
      "no list of images");
  add("a run of 10^9", runs("[1000000000, 1000000000]"), "add up to 2000000000");
  add("a run of 2^32", runs("[4294967296]"), "4294967296");
  add("a run below zero", runs("[-5, 3077]"), "-5");
  add("runs that are too few", runs("[3071]"), "add up to 3071");
  add("a size of 10^9 x 10^9", runs("[5, 5]", "[1000000000, 1000000000]"), "1000000000");
  add("no size", runs("[3072]", "null"), "no size");
  add("a size of one number", runs("[3072]", "[48]"), "no size");
  add("another size than the image's", runs("[3072]", "[64, 48]"), "48 x 64");
  add("no counts", runs("null"), "no counts");
  add("a compressed run without end", runs("\"" + repeated("o", 100'000) + "\""), "2^32");
  add("a compressed run that is cut", runs(R"("o")"), "middle of a number");
  add("a compressed run below zero", runs(R"("K")"), "-5");
  add("a byte of none", runs(R"("01 2")"), "none of theirs");
  add("many short compressed runs", runs("\"" + repeated("0", 5'000'000) + "\""), "add up to 0");
  add("bytes that are not UTF-8", coco("", "{\"id\": 1, \"file_name\": \"\xff\xfe.png\"}"),
      "not JSON");
  add("a null byte", std::string("{\"images\": [\0]}", 15), "not JSON");
  add("UTF-16", std::string("\xff\xfe{\0}\0", 6), "not JSON");
  for (HostileFile& one :
       test::cut_and_extended(outlined("[[0, 0, 5, 0, 5, 5], [10, 10, 20, 10, 20, 20]]"))) {
    out.push_back({AnnotationKind::coco, std::move(one)});
  }
  return out;
}

std::vector<HostileOutlines> hostile_others() {
  std::vector<HostileOutlines> out;
  const auto add = [&](AnnotationKind kind, const char* what, std::string bytes,
                       const char* named) {
    out.push_back({kind, {what, std::move(bytes), named}});
  };
  using enum AnnotationKind;
  const auto shapes = [](const std::string& list) {
    return concat(R"({"shapes": [)", list, R"(], "imagePath": "a.png"})");
  };
  add(labelme, "no shapes", R"({"imagePath": "a.png"})", "no list of shapes");
  add(labelme, "shapes that are a number", R"({"shapes": 5})", "no label");
  add(labelme, "no label", shapes(R"({"points": [[0, 0], [1, 1], [2, 0]]})"), "no label");
  add(labelme, "a bad point", shapes(R"({"label": "a", "points": [[0]]})"), "bad point");
  add(labelme, "points that are a text", shapes(R"({"label": "a", "points": "all"})"), "bad point");
  add(labelme, "1e308", shapes(R"({"label": "a", "points": [[1e308, 0], [1, 1], [2, 0]]})"),
      "1e+308");
  add(labelme, "an unknown type",
      shapes(R"({"label": "a", "shape_type": "spline", "points": [[0, 0], [1, 1]]})"), "spline");
  add(labelme, "a circle of three points",
      shapes(R"({"label": "a", "shape_type": "circle", "points": [[0, 0], [1, 1], [2, 2]]})"),
      "3 points");
  add(labelme, "a mask without base64",
      shapes(R"({"label": "a", "shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "*"})"),
      "base64");
  add(labelme, "a mask that is no picture",
      shapes(R"({"label": "a", "shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "AAAA"})"),
      "mask of shape 1");
  add(labelme, "a shape that is a list", shapes("[]"), "no label");
  add(via, "a huge list",
      R"({"a": {"filename": "a.png", "regions": [)" + repeated("[],", 2'000'000) + "[]]}}",
      "memory");
  add(labelme, "nested", repeated("[", 1'000'000), "nested deeper");
  add(via, "no images", "[]", "no object of images");
  add(via, "an entry without a name", R"({"a": {"regions": []}})", "no image with a filename");
  add(via, "two images of a name", R"({"a": {"filename": "a.png"}, "b": {"filename": "a.png"}})",
      "two images");
  const auto region = [](const std::string& shape) {
    return concat(R"({"a": {"filename": "a.png", "regions": [{"shape_attributes": )", shape,
                  R"(, "region_attributes": {}}]}})");
  };
  add(via, "an unknown shape", region(R"({"name": "heart"})"), "heart");
  add(via, "no shape", region("7"), "not known");
  add(via, "lists of two lengths",
      region(R"({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]})"),
      "one length");
  add(via, "a rectangle without a width", region(R"({"name": "rect", "x": 1, "y": 1})"),
      "expected a number");
  add(via, "a view of nothing",
      R"({"project": {"vid_list": []}, "metadata": {}, "file": {}, "view": {"1": {"fid_list": ["9"]}}})",
      "not there");
  add(via, "metadata of nothing",
      R"({"project": {"vid_list": []}, "metadata": {"a": {"vid": "1", "xy": [7, 1, 1]}}})",
      "no view");
  add(geojson, "no features", R"({"type": "FeatureCollection"})", "no list of features");
  add(geojson, "no geometry", R"({"type": "FeatureCollection", "features": [{}]})", "type ''");
  add(geojson, "a sphere", R"([{"geometry": {"type": "Sphere", "coordinates": []}}])", "Sphere");
  add(geojson, "coordinates that are a number",
      R"([{"geometry": {"type": "Polygon", "coordinates": 5}}])", "no coordinates");
  add(geojson, "a point of one number",
      R"([{"geometry": {"type": "Polygon", "coordinates": [[[1]]]}}])", "without x and y");
  add(geojson, "rings that are numbers",
      R"([{"geometry": {"type": "Polygon", "coordinates": [1, 2]}}])", "no list");
  const auto cvat_image = [](const std::string& shape) {
    return concat("<annotations><image name=\"a.png\" width=\"64\" height=\"48\">", shape,
                  "</image></annotations>");
  };
  // Entities that become 10^9 letters, a file's contents, and each other.
  std::string bomb = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b0 \"lol\">";
  for (int i = 1; i < 10; ++i) {
    bomb += concat("<!ENTITY b", i, " \"", repeated(concat("&b", i - 1, ";"), 10), "\">");
  }
  add(cvat, "a bomb of entities", bomb + "]><annotations>&b9;</annotations>", "document type");
  add(imagescope, "a bomb of entities", bomb + "]><Annotations>&b9;</Annotations>",
      "document type");
  add(cvat, "a file as an entity",
      "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><annotations>&x;</annotations>",
      "document type");
  add(cvat, "an external document type",
      "<!DOCTYPE annotations SYSTEM \"http://localhost/a.dtd\"><annotations/>", "document type");
  add(cvat, "entities in a circle",
      "<!DOCTYPE a [<!ENTITY x \"&y;\"><!ENTITY y \"&x;\">]><annotations>&x;</annotations>",
      "document type");
  add(cvat, "an entity that nobody declared", "<annotations>&x;</annotations>", "not XML");
  add(cvat, "nested", repeated("<annotations>", 200'000), "nested deeper");
  add(imagescope, "nested", "<Annotations>" + repeated("<Annotation>", 200'000), "nested deeper");
  add(cvat, "nothing", "", "not XML");
  add(cvat, "another root", "<html/>", "no CVAT XML");
  add(imagescope, "another root", "<html/>", "no ImageScope XML");
  add(cvat, "two roots", "<annotations/><annotations/>", "not XML");
  add(cvat, "an end of another name", "<annotations><image></annotations>", "no name");
  add(cvat, "bytes that are not UTF-8", "<annotations>\xff\xfe</annotations>", "not XML");
  add(cvat, "an encoding of none", "<?xml version=\"1.0\" encoding=\"x-lies\"?><annotations/>",
      "not XML");
  add(cvat, "an attribute without end", "<annotations a=\"" + repeated("a", 5'000'000), "not XML");
  add(cvat, "a size of nothing", "<annotations><image name=\"a.png\" width=\"\" height=\"1\"/>",
      "expected a number");
  add(cvat, "nan", cvat_image("<polygon label=\"a\" points=\"nan,0;1,1;2,2\"/>"), "nan");
  add(cvat, "inf", cvat_image("<polygon label=\"a\" points=\"inf,0;1,1;2,2\"/>"), "inf");
  add(cvat, "1e308", cvat_image("<polygon label=\"a\" points=\"1e308,0;1,1;2,2\"/>"), "1e+308");
  add(cvat, "half a point", cvat_image("<polygon label=\"a\" points=\"1;1,1;2,2\"/>"), "x,y");
  add(cvat, "no label", cvat_image("<polygon points=\"1,1;2,2;3,1\"/>"), "no label");
  add(cvat, "a run of 10^9",
      cvat_image("<mask label=\"a\" rle=\"1000000000, 9\" left=\"0\" top=\"0\" width=\"9\" "
                 "height=\"9\"/>"),
      "add up to");
  add(cvat, "a run below zero",
      cvat_image(
          "<mask label=\"a\" rle=\"-1, 82\" left=\"0\" top=\"0\" width=\"9\" height=\"9\"/>"),
      "-1");
  add(imagescope, "a vertex without x",
      "<Annotations><Annotation><Regions><Region><Vertices><Vertex Y=\"1\"/>", "expected a number");
  add(imagescope, "a coordinate that is a word",
      "<Annotations><Annotation><Regions><Region><Vertices><Vertex X=\"left\" Y=\"1\"/>", "left");
  for (HostileFile& one :
       test::cut_and_extended(cvat_image("<polygon label=\"a\" points=\"1,1;2,2;3,1\"/>"))) {
    out.push_back({cvat, std::move(one)});
  }
  return out;
}

TEST(HostileFiles, OutlinesAreRefused) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "hostile.annotations";
  std::vector<HostileOutlines> all = hostile_coco();
  for (HostileOutlines& one : hostile_others()) all.push_back(std::move(one));
  std::set<std::string> different;
  for (const auto& [kind, file] : all) {
    different.insert(file.bytes);
    std::ofstream(path, std::ios::binary).write(file.bytes.data(), std::ssize(file.bytes));
    const test::HostileEnd end =
        test::end_of(path, file.bytes.size(),
                     [&, &of = kind](const fs::path& one) { read_annotations(one, of); });
    const std::string about = concat(to_string(kind), ", ", file.what, ": ");
    if (WIFSIGNALED(end.status)) {
      ADD_FAILURE() << about << "signal " << WTERMSIG(end.status);
      continue;
    }
    EXPECT_EQ(WEXITSTATUS(end.status), test::ended_refused) << about << end.message;
    EXPECT_EQ(end.message.find(path.string() + ": "), 0U) << about << end.message;
    // Where memory is not limited, what would take too much of it is refused for what comes next.
    const bool by_memory = file.named == std::string_view("memory") && !test::limits_memory();
    EXPECT_TRUE(by_memory || end.message.find(file.named) != std::string::npos)
        << about << end.message << "\nexpected: " << file.named;
    EXPECT_EQ(end.message.find('\n'), std::string::npos) << about << end.message;
    EXPECT_LT(end.seconds, test::limits_memory() ? 2 : 60) << about;
  }
  EXPECT_GE(different.size(), 120U);
}

struct Heavy {
  const char* what;
  std::string bytes;
  bool painted;  ///< else refused when it is painted
};

// What is heavy and right is read; what would take minutes to paint is refused.
TEST(HostileFiles, HeavyOutlinesEndInTime) {
  std::string round;  // a million points on an ellipse
  for (int i = 0; i < 1'000'000; ++i) {
    const double angle = i * 6.283185307179586e-6;
    round += concat(i == 0 ? "" : ",", fixed(500 + 450 * std::cos(angle), 3), ",",
                    fixed(500 + 450 * std::sin(angle), 3));
  }
  const std::string image = R"({"id": 1, "file_name": "a.png"})";
  const auto file = [&](const std::string& polygons) {
    return coco(concat(R"({"image_id": 1, "category_id": 1, "segmentation": [)", polygons, "]}"),
                image);
  };
  const std::string square = "[0,0,1000,0,1000,1000,0,1000],";
  const std::string triangle =
      R"({"image_id": 1, "category_id": 1, "segmentation": [[0, 0, 1, 0, 1, 1]]})";
  const std::vector<Heavy> all{
      {"a million points", file("[" + round + "]"), true},
      {"a million teeth", file("[" + repeated("0,0,1000,1000,", 500'000) + "5,5]"), false},
      {"100000 whole images", file(repeated(square, 100'000) + "[0,0,1,0,1,1]"), false},
      {"100000 triangles of one object",
       file(repeated("[0,0,1,0,1,1],", 100'000) + "[0,0,1,0,1,1]"), true},
      {"100000 objects", coco(repeated(triangle + ",", 100'000) + triangle, image), true},
      {"far outside", file("[-16000000,-16000000,16000000,-16000000,16000000,16000000]"), true},
  };
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "heavy.json";
  for (const Heavy& one : all) {
    std::ofstream(path, std::ios::binary).write(one.bytes.data(), std::ssize(one.bytes));
    // Trees of JSON and outlines in memory: beyond what is granted to files that are refused.
    const test::HostileEnd end =
        test::end_of(path, 4 * one.bytes.size(), [](const fs::path& where) {
          const AnnotationFile read = read_annotations(where, AnnotationKind::coco);
          std::int64_t patience = std::int64_t{1} << 26;
          oddities_of(read.images.at(0), {1000, 1000}, patience);
          const LabelMap painted =
              paint(where.string(), read.images.at(0), {1000, 1000}, {std::uint8_t{1}});
          if (painted.labels.at(0) > 1) throw std::runtime_error("another label than 1");
        });
    ASSERT_FALSE(WIFSIGNALED(end.status)) << one.what << ": signal " << WTERMSIG(end.status);
    EXPECT_EQ(WEXITSTATUS(end.status), one.painted ? test::ended_accepted : test::ended_refused)
        << one.what << ": " << end.message;
    EXPECT_LT(end.seconds, test::limits_memory() ? 2 : 60) << one.what;
  }
}

// Names that lead out of the set mean nothing, or a picture of the set.
TEST(HostileFiles, NamesOfImagesStayInTheSet) {
  const test::OutlinedSet set;
  set.write("out/secret.txt", "");
  set.picture("out/b.png", 6, 5);
  set.picture("in/a.png", 6, 5);
  const fs::path inside = set.path("in");
  for (const std::string& name :
       {std::string("../out/b.png"), set.path("out/b.png").string(), std::string("..\\out\\b.png"),
        std::string("../../../../../../etc/passwd"), std::string("/dev/zero"), std::string(".."),
        std::string("/"), std::string(100'000, 'a'), repeated("../", 50'000) + "b.png"}) {
    set.write("in/a.json",
              coco("", concat(R"({"id": 1, "file_name": ")",
                              name.find('\\') == std::string::npos ? name : "..\\\\out\\\\b.png",
                              "\"}")));
    const auto refused = test::refusal_of([&] { return open_dataset(inside); });
    ASSERT_TRUE(refused) << shown(name);
    EXPECT_TRUE(refused->names("none of which is in the set")) << refused->message;
    EXPECT_LT(refused->message.size(), 2000U);
  }
}

}  // namespace
}  // namespace medurwkv::data
