// What every HTML page of ours must be, parsed: balanced, self-contained, readable without sight
// and without a mouse.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace medurwkv::test {

/// Every opened element is closed in order: the page is well-formed as XML would want it.
inline void expect_balanced(const std::string& html) {
  const std::regex tag("<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*?)(/?)>");
  const std::vector<std::string> empty_elements{"meta", "img"};
  std::vector<std::string> open;
  for (std::sregex_iterator it(html.begin(), html.end(), tag), end; it != end; ++it) {
    const std::string name = (*it)[2];
    if ((*it)[4].length() > 0 || std::count(empty_elements.begin(), empty_elements.end(), name)) {
      continue;
    }
    if ((*it)[1].length() == 0) {
      open.push_back(name);
    } else {
      ASSERT_FALSE(open.empty()) << name;
      ASSERT_EQ(open.back(), name);
      open.pop_back();
    }
  }
  EXPECT_TRUE(open.empty());
}

/// Of each element `name`: its attributes as text.
inline std::vector<std::string> elements(const std::string& html, const std::string& name) {
  std::vector<std::string> out;
  const std::regex tag("<" + name + "((\\s[^<>]*)?)>");
  for (std::sregex_iterator it(html.begin(), html.end(), tag), end; it != end; ++it) {
    out.push_back((*it)[1]);
  }
  return out;
}

inline std::string attribute(const std::string& attributes, const std::string& name) {
  std::smatch found;
  const std::regex pattern("\\s" + name + "=\"([^\"]*)\"");
  return std::regex_search(attributes, found, pattern) ? found[1].str() : std::string();
}

/// Balanced; no script, nothing fetched; a language, one first heading; every image has an alt text
/// and every diagram a name; every header cell says what it heads; every table has a caption and
/// lies in a region that Tab reaches; links lead to places on the page; no id twice; below 5 MB.
inline void expect_good_page(const std::string& html) {
  // The contents of attributes that hold pictures would only slow the parsing down.
  std::string text;
  std::size_t from = 0;
  for (std::size_t at = html.find(";base64,"); at != std::string::npos;
       at = html.find(";base64,", from)) {
    text += html.substr(from, at - from);
    from = html.find('"', at);
  }
  text += html.substr(from);
  expect_balanced(text);
  for (const char* outside :
       {"http:", "https:", "url(", "@import", "<link", "<script", "<iframe"}) {
    EXPECT_EQ(text.find(outside), std::string::npos) << outside;
  }
  EXPECT_NE(text.find("<html lang=\"en\">"), std::string::npos);
  EXPECT_NE(text.find("<meta charset=\"utf-8\">"), std::string::npos);
  EXPECT_NE(text.find("name=\"viewport\""), std::string::npos);
  EXPECT_EQ(elements(text, "h1").size(), 1U);
  for (const std::string& image : elements(text, "img")) {
    EXPECT_GT(attribute(image, "alt").size(), 5U) << image;
  }
  std::set<std::string> ids;
  for (const char* name : {"h2", "title", "desc"}) {
    for (const std::string& one : elements(text, name)) {
      const std::string id = attribute(one, "id");
      if (id.empty()) continue;
      EXPECT_TRUE(ids.insert(id).second) << id << " twice";
    }
  }
  for (const std::string& svg : elements(text, "svg")) {
    EXPECT_EQ(attribute(svg, "role"), "img");
    const std::string names = attribute(svg, "aria-labelledby");
    EXPECT_TRUE(ids.contains(names.substr(0, names.find(' ')))) << names;
  }
  for (const std::string& head : elements(text, "th")) {
    EXPECT_TRUE(
        (std::set<std::string>{"col", "row", "rowgroup"}.contains(attribute(head, "scope"))))
        << head;
  }
  const std::size_t tables = elements(text, "table").size();
  EXPECT_EQ(elements(text, "caption").size(), tables);
  std::size_t regions = 0;
  for (const std::string& div : elements(text, "div")) {
    if (attribute(div, "class") != "scroll") continue;
    ++regions;
    EXPECT_EQ(attribute(div, "tabindex"), "0");
    EXPECT_EQ(attribute(div, "role"), "region");
    EXPECT_NE(attribute(div, "aria-label"), "");
  }
  EXPECT_EQ(regions, tables);
  for (const std::string& link : elements(text, "a")) {
    const std::string target = attribute(link, "href");
    EXPECT_TRUE(target.starts_with("#") && ids.contains(target.substr(1))) << target;
  }
  EXPECT_FALSE(std::regex_search(text, std::regex("[>\\s-](nan|inf)\\b")));
  EXPECT_LT(html.size(), 5'000'000U);
}

}  // namespace medurwkv::test
