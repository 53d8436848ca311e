#include <stdio.h>

int main(void) {
  puts("Hello from a container!\nThe engine has pulled an image, made a container of it and shown you its output.");
  return 0;
}
