// A library that prints while it is opened, and is no training library.
#include <iostream>

namespace {

const bool printed = [] {
  std::cout << "printed to std::cout" << std::endl;
  std::cerr << "printed to std::cerr" << std::endl;
  return true;
}();

}  // namespace
