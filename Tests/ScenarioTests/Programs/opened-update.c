#include <luci.h>
int opened_update(void) { return luci_update(); }
