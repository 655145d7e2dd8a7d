# Toolchain: Debian's cross compiler for aarch64, libraries of arm64 unpacked into MEDURWKV_SYSROOT (scripts/test-aarch64),
# and qemu's user emulation for what is run while building and testing.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# GCC tells how it passed some arguments before version 10.
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi)

list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MEDURWKV_SYSROOT)
set(CMAKE_SYSROOT ${MEDURWKV_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# pkg-config's files of the sysroot, and no others.
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${MEDURWKV_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${MEDURWKV_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${MEDURWKV_SYSROOT}/usr/share/pkgconfig)
# The linker looks here for what libraries need in turn.
string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -Wl,-rpath-link,${MEDURWKV_SYSROOT}/usr/lib/aarch64-linux-gnu")
string(APPEND CMAKE_SHARED_LINKER_FLAGS_INIT " -Wl,-rpath-link,${MEDURWKV_SYSROOT}/usr/lib/aarch64-linux-gnu")

set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L ${MEDURWKV_SYSROOT})
