/* What a power cut leaves: an LD_PRELOAD shim that keeps a second copy of the files below POWER_FROM in POWER_TO, as
 * of their last fsync or fdatasync, and only under names that the folder had at the last sync of its own. Files whose
 * folder has not been synced since they were made are kept with the suffix ".unnamed". */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static const char *inside(int fd, char path[PATH_MAX]) {
  const char *from = getenv("POWER_FROM");
  char link[64];
  if (!from || !getenv("POWER_TO")) return NULL;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, PATH_MAX - 1);
  if (size <= 0) return NULL;
  path[size] = 0;
  size_t length = strlen(from);
  if (strncmp(path, from, length) != 0 || (path[length] && path[length] != '/')) return NULL;
  return path + length;
}

static void place(char target[PATH_MAX * 2], const char *name, const char *suffix) {
  snprintf(target, PATH_MAX * 2, "%s%s%s", getenv("POWER_TO"), name, suffix);
  for (char *slash = target + strlen(getenv("POWER_TO")) + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    mkdir(target, 0700);
    *slash = '/';
  }
}

static void keep(int fd, const char *name) {
  char named[PATH_MAX * 2], unnamed[PATH_MAX * 2], fresh[PATH_MAX * 2], path[64], buffer[65536];
  place(named, name, "");
  place(unnamed, name, ".unnamed");
  place(fresh, name, ".fresh");
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int in = open(path, O_RDONLY | O_CLOEXEC), out = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ssize_t size;
  while (in >= 0 && out >= 0 && (size = read(in, buffer, sizeof buffer)) > 0)
    if (write(out, buffer, size) != size) abort();
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  rename(fresh, access(named, F_OK) == 0 ? named : unnamed);
}

static void name_all(int fd, const char *folder) {
  int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *listing = again < 0 ? NULL : fdopendir(again);
  for (struct dirent *entry; listing && (entry = readdir(listing));) {
    char name[PATH_MAX], named[PATH_MAX * 2], unnamed[PATH_MAX * 2];
    if (entry->d_type != DT_REG) continue;
    snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
    place(named, name, "");
    place(unnamed, name, ".unnamed");
    if (rename(unnamed, named) != 0 && access(named, F_OK) != 0) { /* named, and nothing of it synced: empty */
      int out = open(named, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
      if (out >= 0) close(out);
    }
  }
  if (listing) closedir(listing);
  char target[PATH_MAX * 2], gone[PATH_MAX * 3];
  place(target, folder, "");
  listing = opendir(target); /* what has been deleted is so from now on */
  for (struct dirent *entry; listing && (entry = readdir(listing));) {
    snprintf(gone, sizeof gone, "%s/%s", target, entry->d_name);
    size_t length = strlen(entry->d_name);
    if (entry->d_type != DT_REG || (length > 8 && !strcmp(entry->d_name + length - 8, ".unnamed"))) continue;
    if (faccessat(fd, entry->d_name, F_OK, 0) != 0) unlink(gone);
  }
  if (listing) closedir(listing);
}

static int synced(int fd, int (*sync)(int)) {
  int result = sync(fd), error = errno;
  char path[PATH_MAX];
  struct stat about;
  const char *name = result == 0 ? inside(fd, path) : NULL;
  if (name && fstat(fd, &about) == 0) {
    pthread_mutex_lock(&turn);
    if (S_ISDIR(about.st_mode)) name_all(fd, name);
    if (S_ISREG(about.st_mode)) keep(fd, name);
    pthread_mutex_unlock(&turn);
  }
  errno = error;
  return result;
}

int fsync(int fd) { return synced(fd, (int (*)(int))dlsym(RTLD_NEXT, "fsync")); }
int fdatasync(int fd) { return synced(fd, (int (*)(int))dlsym(RTLD_NEXT, "fdatasync")); }
