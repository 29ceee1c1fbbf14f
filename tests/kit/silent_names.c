/* Names that no server answers for, as when all of them are away: LD_PRELOAD=silent_names.so.
 *
 * Looking up a name below `silent.test` takes for ever; all others are looked up as they are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

static int is_silent(const char *name) {
  static const char end[] = ".silent.test";
  size_t length = name == NULL ? 0 : strlen(name);
  return length >= sizeof(end) - 1 && strcmp(name + length - (sizeof(end) - 1), end) == 0;
}

int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict found) {
  typedef int (*lookup)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  while (is_silent(name) && (hints == NULL || !(hints->ai_flags & AI_NUMERICHOST))) sleep(60);
  return ((lookup)dlsym(RTLD_NEXT, "getaddrinfo"))(name, service, hints, found);
}
