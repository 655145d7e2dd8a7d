// A library that prints while it is opened, and is no training library.
#include <iostream>

namespace {

__attribute__((constructor)) void print() {
  std::cout << "printed to std::cout" << std::endl;
  std::cerr << "printed to std::cerr" << std::endl;
}

}  // namespace
