// Files of outlines: hand-made shapes whose masks are known, in every format; which image a file
// means; what is refused and what is told. COCO's compressed run lengths are pycocotools' own.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/markup.h"
#include "core/text.h"
#include "data/check/faults.h"
#include "data/layout/layout.h"
#include "support/outlined_set.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

class OutlineFiles : public ::testing::Test {
 protected:
  /// A COCO file of one category, a 6 x 5 image of each name and annotations.
  static std::string coco(const Lines& images, const std::string& annotations,
                          const std::string& categories = R"({"id": 4, "name": "lesion"})") {
    std::string list;
    for (std::size_t i = 0; i < images.size(); ++i) {
      list += concat(i == 0 ? "" : ", ", R"({"id": )", i + 1, R"(, "file_name": ")", images[i],
                     R"(", "width": 6, "height": 5})");
    }
    return concat(R"({"images": [)", list, R"(], "annotations": [)", annotations,
                  R"(], "categories": [)", categories, "]}");
  }
  static std::string annotation(int image, int category, const std::string& segmentation,
                                const std::string& more = "") {
    return concat(R"({"id": 1, "image_id": )", image, R"(, "category_id": )", category,
                  R"(, "bbox": [0, 0, 1, 1], "segmentation": )", segmentation, more, "}");
  }
  /// One LabelMe file of these shapes beside its image a.png of 6 x 5.
  Lines labelme(const std::string& shapes) const {
    set_.picture("a.png", 6, 5);
    set_.write("a.json", concat(R"({"version": "5.5.0", "flags": {}, "shapes": [)", shapes,
                                R"(], "imagePath": "a.png", "imageData": null, "imageHeight": 5,)",
                                R"("imageWidth": 6})"));
    return set_.mask("a");
  }
  static std::string shape(const std::string& label, const std::string& type,
                           const std::string& points, const std::string& more = "") {
    return concat(R"({"label": ")", label, R"(", "shape_type": ")", type, R"(", "points": )",
                  points, more, "}");
  }
  [[nodiscard]] std::string refusal() const {
    const auto refused = test::refusal_of([&] { return set_.open(); });
    return refused ? refused->message : "opened";
  }
  [[nodiscard]] std::set<std::string> kinds() const {
    std::set<std::string> out;
    Listener& quiet = silence();
    for (const Fault& fault : check_dataset(set_.path(), {}, quiet).faults) {
      out.insert(fault.kind);
    }
    out.erase("small-image");
    return out;
  }

  test::OutlinedSet set_;
};

void expect_names(const std::string& message, const Lines& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nexpected: " << part;
  }
}

// Centres on an edge belong to the side of larger x and y: squares that touch share no pixel.
TEST_F(OutlineFiles, PixelsBelongByTheirCentres) {
  EXPECT_EQ(labelme(shape("a", "polygon", "[[1, 1], [4, 1], [4, 3], [1, 3]]") + ", " +
                    shape("b", "polygon", "[[3.5, 2.5], [5.5, 2.5], [5.5, 4.5], [3.5, 4.5]]")),
            (Lines{"......", ".111..", ".1122.", "...22.", "......"}));
  // A diamond whose corners and edges hold centres: those on the left edges alone belong to it.
  EXPECT_EQ(labelme(shape("a", "polygon", "[[2.5, 0.5], [4.5, 2.5], [2.5, 4.5], [0.5, 2.5]]")),
            (Lines{"......", ".11...", "1111..", ".11...", "......"}));
}

TEST_F(OutlineFiles, EvenOddPartsAndHoles) {
  // A pentagram-like outline that goes twice round the same square: its inside is outside.
  EXPECT_EQ(
      labelme(shape("a", "polygon",
                    "[[0, 0], [6, 0], [6, 5], [0, 5], [0, 0], [2, 1], [4, 1], [4, 3], [2, 3], "
                    "[2, 1]]")),
      (Lines{"111111", "11..11", "11..11", "111111", "111111"}));
  set_.write("a.json", coco({"a.png"}, annotation(1, 4, "[[0,0,2,0,2,2,0,2], [1,1,4,1,4,4,1,4]]")));
  EXPECT_EQ(set_.mask("a"), (Lines{"11....", "1111..", ".111..", ".111..", "......"}))
      << "parts are united, not even-odd";
}

TEST_F(OutlineFiles, CocoFromItsFileToItsLabels) {
  set_.picture("images/a.png", 6, 5);
  set_.picture("images/b.png", 6, 5);
  set_.picture("images/c.png", 6, 5);
  set_.write("annotations/instances.json",
             coco({"a.png", "b.png", "gone.png"},
                  annotation(1, 9, "[[0, 0, 4, 0, 4, 3, 0, 3]]") + ", " +
                      annotation(1, 4, "[[2, 1, 6, 1, 6, 4, 2, 4]]") + ", " +
                      annotation(1, 4, "[[0, 4, 6, 4, 6, 5, 0, 5]]", R"(, "iscrowd": 1)"),
                  R"({"id": 9, "name": "polyp"}, {"id": 4, "name": "instrument"},
                     {"id": 2, "name": "never drawn"})"));
  const Dataset set = set_.open();
  ASSERT_EQ(set.cases.size(), 2U);
  EXPECT_EQ(set.layout, "images and outlines (COCO JSON)");
  EXPECT_EQ(set.encoding, MaskEncoding::index);
  Lines names;
  for (const ClassInfo& one : set.classes) names.push_back(one.name);
  EXPECT_EQ(names, (Lines{"background", "never drawn", "instrument", "polyp"}));
  EXPECT_EQ(set_.mask("a"), (Lines{"3333..", "332222", "332222", "..2222", "iiiiii"}))
      << "what was drawn later covers what was drawn before";
  EXPECT_EQ(set_.mask("b"), Lines(5, "......")) << "an image without outlines is an empty case";
  EXPECT_EQ(kinds(), (std::set<std::string>{"image-without-mask", "absent-image", "empty-mask"}));
  expect_names(join(set.notes, "\n"), {"images/c.png", "gone.png"});
}

// The strings are what pycocotools 2.0 encodes of these masks.
TEST_F(OutlineFiles, CompressedRunLengthsAreThoseOfPycocotools) {
  set_.picture("a.png", 9, 6);
  const auto file = [](const std::string& counts) {
    return concat(R"({"images": [{"id": 1, "file_name": "a.png"}], "annotations": [)",
                  R"({"image_id": 1, "category_id": 1, "segmentation": {"size": [6, 9],)",
                  R"("counts": )", counts, R"(}}], "categories": [{"id": 1, "name": "x"}]})");
  };
  const Lines due{"1........", "..111....", "..111....", "..111..1.", ".........", "........1"};
  set_.write("a.json", file(R"("01<2G000>NF0")"));
  EXPECT_EQ(set_.mask("a"), due);
  // By hand: columns from the top, of 0, of 1, of 0 ...
  set_.write("a.json", file("[0, 1, 12, 3, 3, 3, 3, 3, 17, 1, 7, 1]"));
  EXPECT_EQ(set_.mask("a"), due);
  for (const char* const bad : {"[0, 1, 12, 3]", "[0, 60]", "[-1, 55]", "[1.5, 52.5]", R"("")",
                                R"("01<2G000>NF")", R"("P")", R"("01<2G000>NF0~")", "[]", "7",
                                "[4294967296, 4294967296]", R"("oooooooooooooo0")"}) {
    set_.write("a.json", file(bad));
    expect_names(refusal(), {"a.json: annotation 1"});
  }
}

// Runs of a wide frame: their differences are below zero and of several bytes.
TEST_F(OutlineFiles, LongRunLengthsAreThoseOfPycocotools) {
  set_.picture("a.png", 40, 50);
  set_.write("a.json",
             R"({"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1,)"
             R"("category_id": 1, "segmentation": {"size": [50, 40], "counts": "k4X1:000000000000W)"
             R"(OK55KK55KK55KK55KK55KK55KK55KK55KK55KK55KK55KK55KK55KK55KK55KK55KK55KK55KK55KK55d0)"
             R"(000000000000a4"}}], "categories": [{"id": 1, "name": "x"}]})");
  const Lines mask = set_.mask("a");
  ASSERT_EQ(mask.size(), 50U);
  for (std::size_t y = 0; y < mask.size(); ++y) {
    for (std::size_t x = 0; x < 40; ++x) {
      const bool frame = y >= 5 && y < 45 && x >= 3 && x < 37;
      const bool hole = y >= 20 && y < 25 && x >= 10 && x < 30;
      EXPECT_EQ(mask[y][x], frame && !hole ? '1' : '.') << x << ", " << y;
    }
  }
}

TEST_F(OutlineFiles, LabelMeShapes) {
  EXPECT_EQ(
      labelme(shape("a", "rectangle", "[[4, 3], [1, 1]]") + ", " + shape("b", "point", "[[1, 1]]") +
              ", " + shape("_background_", "rectangle", "[[2, 1], [3, 2]]") + ", " +
              shape("__ignore__", "rectangle", "[[0, 4], [6, 5]]")),
      (Lines{"......", ".1.1..", ".111..", "......", "iiiiii"}));
  EXPECT_TRUE(kinds().contains("no-area"));
  // Centres within 1.5 of (3, 2.5): by Pythagoras those at most 0.5, 0 or 0.5, 1 or 1.5, 0 away.
  EXPECT_EQ(labelme(shape("a", "circle", "[[3, 2.5], [3, 4]]")),
            (Lines{"......", "..11..", ".1111.", "..11..", "......"}));
  // A PNG of 2 x 2, all but its second pixel; corners are pixels, both included.
  const Image corner =
      test::make_image(2, 2, 1, [](auto x, auto y, auto) { return x == 1 && y == 0 ? 0 : 255; });
  const std::string packed = base64(encode_png(corner));
  EXPECT_EQ(labelme(shape("a", "mask", "[[3, 1], [4, 2]]", R"(, "mask": ")" + packed + "\"")),
            (Lines{"......", "...1..", "...11.", "......", "......"}));
  set_.write("a.json", R"({"shapes": [{"label": "a", "shape_type": "mask", "points": [[0, 0],)"
                       R"([4, 4]], "mask": ")" +
                           packed + R"("}], "imagePath": "a.png"})");
  expect_names(refusal(), {"a.json", "2 x 2", "5 x 5"});
  EXPECT_EQ(labelme(""), Lines(5, "......")) << "without shapes: empty";
}

TEST_F(OutlineFiles, LabelMeMeansItsImagePathElseItsStem) {
  set_.picture("images/one.png", 6, 5);
  set_.picture("images/two.png", 6, 5);
  const std::string outline = shape("a", "rectangle", "[[0, 0], [6, 5]]");
  set_.write("labels/x.json",
             R"({"imagePath": "..\\images\\one.png", "shapes": [)" + outline + "]}");
  set_.write("labels/two.json", R"({"imagePath": "renamed.png", "shapes": [)" + outline + "]}");
  EXPECT_EQ(set_.mask("one"), Lines(5, "111111"));
  EXPECT_EQ(set_.mask("two"), Lines(5, "111111"));
}

TEST_F(OutlineFiles, ViaOfAllVersions) {
  set_.picture("a.png", 6, 5);
  const std::string polygon =
      R"({"name": "polygon", "all_points_x": [0, 2, 2, 0], "all_points_y": [0, 0, 2, 2]})";
  const std::string rect = R"({"name": "rect", "x": 4, "y": 0, "width": 2, "height": 1})";
  const std::string circle = R"({"name": "circle", "cx": 3.5, "cy": 3.5, "r": 1})";
  const std::string ellipse = R"({"name": "ellipse", "cx": 1, "cy": 3.5, "rx": 1, "ry": 0.6})";
  const auto region = [](const std::string& shape, const std::string& name) {
    return concat(R"({"shape_attributes": )", shape, R"(, "region_attributes": {"kind": ")", name,
                  R"(", "sure": "yes", "Label": {")", name, R"(": true, "other": false}}})");
  };
  const Lines due{"22..11", "22....", "...1..", "11111.", "...1.."};
  const std::string second = concat(
      R"({"a.png99": {"filename": "a.png", "size": 99, "regions": [)", region(polygon, "q"), ", ",
      region(rect, "p"), ", ", region(circle, "p"), ", ", region(ellipse, "p"), ", ",
      region(R"({"name": "point", "cx": 1, "cy": 1})", "p"), R"(], "file_attributes": {}}})");
  set_.write("via.json", second);
  EXPECT_EQ(set_.mask("a"), due);
  set_.write("via.json", concat(R"({"_via_settings": {}, "_via_img_metadata": )", second,
                                R"(, "_via_attributes": {}})"));
  EXPECT_EQ(set_.mask("a"), due);
  set_.write("via.json",
             concat(R"({"a.png99": {"fileref": "", "filename": "a.png", "size": 99, "regions": {)",
                    R"("0": )", region(polygon, "q"), R"(, "1": )", region(rect, "p"), R"(, "2": )",
                    region(circle, "p"), R"(, "3": )", region(ellipse, "p"),
                    R"(}, "file_attributes": {}}})"));
  EXPECT_EQ(set_.mask("a"), due);
  set_.write(
      "via.json",
      R"({"project": {"pid": "x", "vid_list": ["1"]}, "config": {}, "attribute": {"1": {"aname":)"
      R"("class", "options": {"0": "p", "1": "q"}}}, "file": {"7": {"fid": "7", "fname": "a.png"}},)"
      R"("metadata": {"1_a": {"vid": "1", "xy": [7, 0, 0, 2, 0, 2, 2, 0, 2], "av": {"1": "1"}},)"
      R"("1_b": {"vid": "1", "xy": [2, 4, 0, 2, 1], "av": {"1": "0"}}, "1_c": {"vid": "1", "xy":)"
      R"([3, 3.5, 3.5, 1], "av": {"1": "0"}}, "1_d": {"vid": "1", "xy": [4, 1, 3.5, 1, 0.6], "av":)"
      R"({"1": "0"}}, "1_e": {"vid": "1", "xy": [], "av": {}}}, "view": {"1": {"fid_list":)"
      R"(["7"]}}})");
  EXPECT_EQ(set_.mask("a"), due);
  set_.write("via.json",
             concat(R"({"a.png99": {"filename": "a.png", "regions": [)", R"({"shape_attributes": )",
                    polygon, R"(, "region_attributes": {"x": "1", "y": "2"}}]}})"));
  expect_names(refusal(), {"via.json", "attributes x, y", "rename"});
}

TEST_F(OutlineFiles, CvatShapes) {
  set_.picture("a.png", 6, 5);
  const auto write = [&](const std::string& shapes) {
    set_.write("annotations.xml",
               concat("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations><version>1.1"
                      "</version><meta><task><labels><label><name>z</name></label><label><name>b"
                      "</name></label></labels></task></meta><image id=\"0\" name=\"a.png\" "
                      "width=\"6\" height=\"5\">",
                      shapes, "</image></annotations>\n"));
  };
  write(R"(<polygon label="z" source="manual" points="0.00,0.00;2.00,0.00;2.00,2.00;0.00,2.00"/>)"
        R"(<box label="b" xtl="4" ytl="0" xbr="6" ybr="1"><attribute name="q">1</attribute></box>)"
        R"(<ellipse label="b" cx="3.5" cy="3.5" rx="1" ry="1"/>)"
        R"(<mask label="z" rle="1, 2, 1" left="0" top="3" width="2" height="2"/>)"
        R"(<points label="b" points="1,1"/>)");
  EXPECT_EQ(set_.mask("a"), (Lines{"11..22", "11....", "...2..", ".1222.", "1..2.."}))
      << "classes by their order in the file";
  EXPECT_TRUE(kinds().contains("no-area"));
  // A quarter turn about its middle (3.05, 2.3): x 1.3 to 4.8 becomes y 0.55 to 4.05.
  write(R"(<box label="z" xtl="1.3" ytl="1.6" xbr="4.8" ybr="3" rotation="90"/>)"
        R"(<box label="b" xtl="0" ytl="0" xbr="6" ybr="2" z_order="-1"/>)");
  EXPECT_EQ(set_.mask("a"), (Lines{"222222", "221122", "..11..", "..11..", "......"}))
      << "the lower one is covered by the higher one, not by the later";
  write(R"(<mask label="z" rle="1, 2, 2" left="0" top="3" width="2" height="2"/>)");
  expect_names(refusal(), {"annotations.xml", "add up to 5"});
  write(R"(<cuboid label="z" xtl1="1"/>)");
  expect_names(refusal(), {"annotations.xml", "<cuboid>", "a.png"});
  set_.write("annotations.xml", "<annotations><track id=\"0\" label=\"z\"/></annotations>");
  expect_names(refusal(), {"annotations.xml", "tracks"});
}

std::string square(double left, double top, double right, double bottom) {
  return concat("[[", left, ", ", top, "], [", right, ", ", top, "], [", right, ", ", bottom,
                "], [", left, ", ", bottom, "], [", left, ", ", top, "]]");
}

TEST_F(OutlineFiles, ImageScopeRegionsWithHoles) {
  const auto region = [](double left, double top, double right, double bottom, int hole) {
    return concat("<Region Id=\"1\" Type=\"0\" NegativeROA=\"", hole, "\"><Vertices><Vertex X=\"",
                  left, "\" Y=\"", top, "\" Z=\"0\"/><Vertex X=\"", right, "\" Y=\"", top,
                  "\" Z=\"0\"/><Vertex X=\"", right, "\" Y=\"", bottom, "\" Z=\"0\"/><Vertex X=\"",
                  left, "\" Y=\"", bottom, "\" Z=\"0\"/></Vertices></Region>");
  };
  set_.picture("Tissue Images/a.png", 6, 5);
  // A hole before its region, and an island in the hole.
  set_.write(
      "Annotations/a.xml",
      concat("<Annotations MicronsPerPixel=\"0.25\"><Annotation Id=\"1\" Name=\"\"><Regions>",
             region(1, 1, 5, 4, 1), region(0, 0, 6, 5, 0), region(2, 2, 3, 3, 0),
             "<Region Id=\"9\" Type=\"4\"><Vertices/></Region>",
             "</Regions></Annotation></Annotations>"));
  EXPECT_EQ(set_.mask("a"), (Lines{"111111", "1....1", "1.1..1", "1....1", "111111"}));
  EXPECT_EQ(set_.open().classes.at(1).name, "foreground");
  EXPECT_TRUE(kinds().contains("no-area"));
  const auto layer = [&](const char* name, const std::string& regions) {
    return concat("<Annotation Id=\"1\" Name=\"\"><Attributes><Attribute Name=\"", name,
                  "\" Id=\"0\" Value=\"\"/></Attributes><Regions>", regions,
                  "</Regions></Annotation>");
  };
  // MoNuSAC's classes; a hole cuts its own layer alone.
  set_.write(
      "Annotations/a.xml",
      concat("<Annotations>", layer("Lymphocyte", region(0, 0, 6, 5, 0)),
             layer("Epithelial", region(1, 1, 5, 4, 0) + region(2, 2, 4, 3, 1)), "</Annotations>"));
  EXPECT_EQ(set_.mask("a"), (Lines{"222222", "211112", "212212", "211112", "222222"}));
}

TEST_F(OutlineFiles, QuPathPolygonsWithHoles) {
  set_.picture("a.png", 6, 5);
  const auto feature = [](const std::string& type, const std::string& coordinates,
                          const std::string& name) {
    return concat(
        R"({"type": "Feature", "geometry": {"type": ")", type, R"(", "coordinates": )", coordinates,
        R"(}, "properties": {"objectType": "annotation", )",
        name.empty() ? "\"x\": 1" : concat(R"("classification": {"name": ")", name, "\"}"), "}}");
  };
  const std::string ring = concat("[", square(0, 0, 6, 5), ", ", square(1, 1, 5, 4), "]");
  const std::string parts = concat("[[", square(2, 2, 3, 3), "], ", ring, "]");
  const Lines island{"111111", "1....1", "1.1..1", "1....1", "111111"};
  set_.write("a.geojson", concat(R"({"type": "FeatureCollection", "features": [)",
                                 feature("MultiPolygon", parts, "Tumor"), ", ",
                                 feature("LineString", "[[0, 0], [1, 1]]", "Tumor"), "]}"));
  EXPECT_EQ(set_.mask("a"), island) << "the hole of one part does not cut another part";
  set_.write("a.geojson",
             concat("[", feature("Polygon", ring, ""), ", ",
                    feature("Polygon", concat("[", square(2, 2, 3, 3), "]"), ""), "]"));
  EXPECT_EQ(set_.mask("a"), island) << "an older export: a list of features without a class";
  set_.write("a.geojson", concat("[", feature("Polygon", ring, ""), ", ",
                                 feature("Polygon", ring, "Tumor"), "]"));
  expect_names(refusal(), {"a.geojson", "without a class"});
}

TEST_F(OutlineFiles, PartsComeFromFoldersElseFromTheFilesNames) {
  const std::string whole = "[[0, 0, 6, 0, 6, 5, 0, 5]]";
  for (const char* const part : {"train", "valid", "test"}) {
    const std::string place = concat(part, "/");
    set_.picture(place + part + "_jpg.rf.1.png", 6, 5);
    set_.write(place + "_annotations.coco.json",
               coco({concat(part, "_jpg.rf.1.png")}, annotation(1, 1, whole),
                    R"({"id": 0, "name": "polyps", "supercategory": "none"},)"
                    R"({"id": 1, "name": "polyp", "supercategory": "polyps"})"));
  }
  const Layout roboflow = find_layout(set_.path());
  ASSERT_EQ(roboflow.cases.size(), 3U);
  EXPECT_EQ(roboflow.cases[0].part, "test");
  EXPECT_EQ(roboflow.cases[1].part, "train");
  EXPECT_EQ(roboflow.cases[2].part, "val");
  ASSERT_EQ(roboflow.classes.size(), 2U) << "the name above all classes is none";
  EXPECT_EQ(roboflow.classes[1].name, "polyp");

  const test::OutlinedSet other;
  for (const char* const part : {"train", "val"}) {
    // The same name in both parts.
    other.picture(concat(part, "2017/1.png"), 6, 5);
    other.write(concat("annotations/instances_", part, "2017.json"),
                coco({"1.png"}, annotation(1, 4, whole)));
    other.write(concat("annotations/captions_", part, "2017.json"),
                R"({"images": [], "annotations": [{"image_id": 1, "id": 1, "caption": "x"}]})");
  }
  const Layout published = find_layout(other.path());
  ASSERT_EQ(published.cases.size(), 2U);
  EXPECT_TRUE(published.broken.empty());
  EXPECT_EQ(published.cases[0].part, "train");
  EXPECT_EQ(published.cases[1].part, "val");
  EXPECT_EQ(published.cases[0].images.front().file, other.path("train2017/1.png"));
}

TEST_F(OutlineFiles, WhatContradictsIsRefused) {
  set_.picture("a.png", 6, 5);
  const std::string whole = "[[0, 0, 6, 0, 6, 5, 0, 5]]";
  const auto refused = [&](const std::string& text, const Lines& names) {
    set_.write("a.json", text);
    expect_names(refusal(), names);
  };
  refused(coco({"a.png"}, annotation(1, 4, "[]")), {"a.json", "boxes alone"});
  refused(coco({"a.png"}, annotation(1, 4, whole) + ", " + annotation(1, 4, "null")),
          {"a.json", "1 of 2 objects as boxes"});
  refused(coco({"a.png", "a.png"}, ""), {"a.json", "two images", "a.png"});
  refused(coco({"a.png", "old/a.png"}, ""), {"a.json", "a.png twice", "old/a.png"});
  refused(coco({"a.png"}, annotation(1, 5, whole)), {"a.json", "category 5"});
  refused(coco({"../../etc/passwd"}, ""), {"a.json", "none of which is in the set"});
  refused(coco({"a.png"}, annotation(1, 4, "[[0, 0, 6]]")), {"a.json", "3 numbers"});
  refused(R"({"images": [{"id": 1, "file_name": "a.png", "width": 5, "height": 6}],)"
          R"("annotations": [], "categories": []})",
          {"a.json", "5 x 6", "6 x 5", "EXIF"});
  refused(R"({"images": [{"id": 1, "file_name": "a.png", "width": 1000000000, "height":)"
          R"(1000000000}], "annotations": [], "categories": []})",
          {"a.json", "1000000000 x 1000000000", "6 x 5"});
  // Two files of one image.
  set_.write("a.json", coco({"a.png"}, annotation(1, 4, whole)));
  set_.write("val.json", coco({"a.png"}, ""));
  expect_names(refusal(), {"val.json", "a.png", "a.json", "keep one"});
}

TEST_F(OutlineFiles, OddOutlinesAreTold) {
  set_.picture("a.png", 40, 40);
  set_.write("a.json", R"({"imagePath": "a.png", "shapes": [)" +
                           shape("a", "polygon", "[[-9, 2], [50, 2], [50, 4], [-9, 4]]") + ", " +
                           shape("a", "polygon", "[[5, 5], [15, 15], [15, 5], [5, 15]]") + ", " +
                           shape("a", "polygon", "[[1, 1], [2, 2]]") + ", " +
                           shape("a", "rectangle", "[[20, 20], [30, 30]]") + ", " +
                           shape("a", "circle", "[[20, 10], [20, 14]]") + "]}");
  EXPECT_EQ(kinds(),
            (std::set<std::string>{"outline-beyond", "crossing-outline", "short-outline"}));
  const Lines mask = set_.mask("a");
  EXPECT_EQ(mask[2], std::string(40, '1'));
  EXPECT_EQ(mask[4], std::string(40, '.'));
  set_.write("a.json", R"({"imagePath": "a.png", "shapes": [)" +
                           shape("a", "polygon", "[[0, 0], [40, 0], [40, 40], [20, 30], [0, 40]]") +
                           "]}");
  EXPECT_EQ(kinds(), std::set<std::string>{}) << "an outline along the border is no finding";
}

TEST_F(OutlineFiles, MasksWinOverOutlines) {
  set_.picture("images/a.png", 40, 40);
  set_.write("masks/a.png", encode_png(test::make_image(
                                40, 40, 1, [](auto x, auto, auto) { return x < 20 ? 255 : 0; })));
  set_.write("a.json", coco({"a.png"}, annotation(1, 4, "[[0, 0, 6, 0, 6, 5, 0, 5]]")));
  const Dataset set = set_.open();
  EXPECT_EQ(set.encoding, MaskEncoding::binary);
  EXPECT_EQ(kinds(), (std::set<std::string>{"outlines-passed"}));
}

TEST_F(OutlineFiles, WithheldOutlinesMakeNoEmptyCases) {
  set_.picture("train/a.png", 6, 5);
  set_.picture("test/b.png", 6, 5);
  set_.write("instances_train.json",
             coco({"a.png"}, annotation(1, 4, "[[0, 0, 6, 0, 6, 5, 0, 5]]")));
  set_.write("image_info_test.json",
             R"({"images": [{"id": 1, "file_name": "b.png"}], "categories": []})");
  const Layout layout = find_layout(set_.path());
  ASSERT_EQ(layout.cases.size(), 1U);
  EXPECT_EQ(layout.unlabelled, std::vector<fs::path>{set_.path("test/b.png")});
}

TEST_F(OutlineFiles, OutlinesHaveOneMeaning) {
  set_.picture("a.png", 6, 5);
  set_.write("a.json", coco({"a.png"}, annotation(1, 4, "[[0, 0, 6, 0, 6, 5, 0, 5]]")));
  for (const MaskEncoding other : {MaskEncoding::binary, MaskEncoding::instances}) {
    const auto refused = test::refusal_of(
        [&] { return open_dataset(set_.path(), {.encoding = other, .classes = {}}); });
    ASSERT_TRUE(refused);
    EXPECT_TRUE(refused->names("leave out --mask-encoding")) << refused->message;
  }
  EXPECT_NO_THROW(open_dataset(set_.path(), {.encoding = MaskEncoding::index, .classes = {}}));
}

}  // namespace
}  // namespace medurwkv::data
