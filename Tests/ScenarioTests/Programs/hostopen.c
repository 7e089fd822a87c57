/* Opens and closes libraries of the C library's family, which the program is not linked with. */
#include <dlfcn.h>
#include <iconv.h>
#include <stdio.h>

int main(int argc, char **argv) {
  for (int i = 0; i < 3; i++) {
    void *libm = dlopen("libm.so.6", RTLD_NOW);
    double (*cosine)(double) = libm ? (double (*)(double))dlsym(libm, "cos") : NULL;
    printf("cos: %g\n", cosine ? cosine(0) : -1);
    printf("local: %s\n", dlsym(RTLD_DEFAULT, "cos") == NULL ? "hidden" : "visible");
    iconv_t converter = iconv_open("ISO-8859-5", "UTF-16");
    printf("iconv: %s\n", converter == (iconv_t)-1 ? "none" : "opened");
    void *resolv = dlopen("libresolv.so.2", RTLD_NOW | RTLD_GLOBAL);
    printf("global: %s\n", dlsym(RTLD_DEFAULT, "ns_initparse") == NULL ? "hidden" : "visible");
    if (converter != (iconv_t)-1) iconv_close(converter);
    printf("closed: %d %d\n", dlclose(libm), dlclose(resolv));
    /* Looks through everything that is left, and finds nothing. */
    printf("after: %s\n", dlsym(RTLD_DEFAULT, "there_is_no_such_symbol") == NULL ? "nothing" : "something");
    void *plugin = dlopen(argv[1], RTLD_NOW);
    if (plugin == NULL) return puts(dlerror());
    printf("plugin: %d\n", ((double (*)(double))dlsym(plugin, "twice_cos"))(0) == 2);
    printf("closed: %d\n", dlclose(plugin));
  }
  return argc - 2;
}
