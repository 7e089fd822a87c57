// Exceptions through frames of the program, of a library and of other threads.
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <typeinfo>
#include <vector>

extern void library_throws(int what);                         // throwing.cpp
extern void library_calls(void (*function)(int), int value);  // passes exceptions through

struct Local {
  std::string name;
  explicit Local(std::string n) : name(std::move(n)) {}
  ~Local() { std::cout << "~" << name << "\n"; }
};

static void throws(int value) {
  Local local("local " + std::to_string(value));
  if (value == 1) throw std::runtime_error("thrown by the program");
  if (value == 2) throw 42;
}

int main() {
  for (int value = 0; value < 3; value++) {
    try {
      library_calls(throws, value);
      std::cout << "nothing\n";
    } catch (const std::exception &e) {
      std::cout << "caught " << e.what() << "\n";
    } catch (int n) {
      std::cout << "caught " << n << "\n";
    }
  }
  try {
    library_throws(1);
  } catch (const std::out_of_range &e) {
    std::cout << "caught " << e.what() << " of " << typeid(e).name() << "\n";
  }
  std::vector<std::thread> threads;
  std::vector<std::string> results(4);
  for (int i = 0; i < 4; i++)
    threads.emplace_back([i, &results] {
      for (int round = 0; round < 100; round++) {
        try {
          library_throws(i % 2);
          results[i] = "nothing";
        } catch (const std::exception &e) {
          results[i] = e.what();
        }
      }
    });
  for (auto &t : threads) t.join();
  for (auto &r : results) std::cout << r << std::endl;
  try {
    std::string().at(3);
  } catch (...) {
    std::cout << "caught one of libstdc++\n";
  }
  try {
    try {
      throw std::logic_error("inner");
    } catch (...) {
      std::throw_with_nested(std::runtime_error("outer"));
    }
  } catch (const std::exception &e) {
    std::cout << e.what() << "\n";
    try {
      std::rethrow_if_nested(e);
    } catch (const std::exception &inner) {
      std::cout << inner.what() << "\n";
    }
  }
}
