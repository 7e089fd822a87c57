template <typename T> T unique = 3;
template int unique<int>;
extern "C" int *find() { return &unique<int>; }
