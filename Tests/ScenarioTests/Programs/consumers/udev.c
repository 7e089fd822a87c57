/* Devices of a class that is there in containers, too, and names as udev writes them. */
#include "consumer.h"
struct udev;
struct udev_enumerate;
struct udev_list_entry;
struct udev_device;
extern struct udev *udev_new(void);
extern struct udev *udev_unref(struct udev *);
extern struct udev_enumerate *udev_enumerate_new(struct udev *);
extern struct udev_enumerate *udev_enumerate_unref(struct udev_enumerate *);
extern int udev_enumerate_add_match_subsystem(struct udev_enumerate *, const char *);
extern int udev_enumerate_scan_devices(struct udev_enumerate *);
extern struct udev_list_entry *udev_enumerate_get_list_entry(struct udev_enumerate *);
extern struct udev_list_entry *udev_list_entry_get_next(struct udev_list_entry *);
extern const char *udev_list_entry_get_name(struct udev_list_entry *);
extern struct udev_device *udev_device_new_from_syspath(struct udev *, const char *);
extern const char *udev_device_get_subsystem(struct udev_device *);
extern struct udev_device *udev_device_unref(struct udev_device *);
extern int udev_util_encode_string(const char *, char *, size_t);

static int devices;

/* -1: something is wrong. */
static int count(struct udev *udev) {
  struct udev_enumerate *list = udev_enumerate_new(udev);
  int number = 0;
  if (!list || udev_enumerate_add_match_subsystem(list, "mem") < 0 || udev_enumerate_scan_devices(list) < 0) return -1;
  for (struct udev_list_entry *entry = udev_enumerate_get_list_entry(list); entry;
       entry = udev_list_entry_get_next(entry), number++) {
    struct udev_device *device = udev_device_new_from_syspath(udev, udev_list_entry_get_name(entry));
    if (!device || strcmp(udev_device_get_subsystem(device), "mem") != 0) return -1;
    udev_device_unref(device);
  }
  udev_enumerate_unref(list);
  return number;
}

static int prepare(int argc, char **argv) {
  (void)argc, (void)argv;
  struct udev *udev = udev_new();
  devices = udev ? count(udev) : -1;
  udev_unref(udev);
  return devices < 0;
}

static void let_go(void *context) { udev_unref(context); }

static int use(void **context, unsigned long round) {
  char name[64], encoded[256];
  if (!*context && !(*context = udev_new())) return 1;
  snprintf(name, sizeof name, "a %lu", round);
  const int wrong = udev_util_encode_string(name, encoded, sizeof encoded) != 0 || strncmp(encoded, "a\\x20", 5) != 0 ||
                    strcmp(encoded + 5, name + 2) != 0;
  return wrong || count(*context) != devices;
}
