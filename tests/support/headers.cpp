// Nothing: the executable exists for its precompiled headers alone (tests/CMakeLists.txt).
int main() {}
