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
/// added. Only rank 0 prints its output; every rank prints its errors. Passes SIGINT, SIGTERM and
/// SIGHUP on. When a rank fails, the others have half a minute to end by themselves, and no time
/// when it failed by wrong usage. Returns the exit code of the first rank that failed, else 0. The
/// ranks end when this process does.
int run_ranks(int count, const std::vector<std::string>& arguments);

}  // namespace medurwkv::cli
