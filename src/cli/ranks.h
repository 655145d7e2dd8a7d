// `train --nproc n`: the same command once per rank, in processes of this machine. Relies on Linux.
#pragma once

#include <string>
#include <vector>

namespace medurwkv::cli {

/// This program's arguments, without its name.
std::vector<std::string> own_arguments();

/// `words` without the options `names` and their values ("--name value" and "--name=value").
std::vector<std::string> arguments_without(const std::vector<std::string>& words,
                                           const std::vector<std::string>& names);

/// Starts this program once per rank with `arguments` and `--rendezvous`, `--rank` and `--world`
/// added; only rank 0 writes to the terminal, errors of all are seen. Passes SIGINT and SIGTERM
/// on. When a rank fails, the others have half a minute to end by themselves. Returns the exit code
/// of the first rank that failed, else of all. The ranks end when this process does.
int run_ranks(int count, const std::vector<std::string>& arguments);

}  // namespace medurwkv::cli
