/* What no client can beat: receive, take the chunks apart, find the line ends, touch nothing else.

   ceiling PORT PATH -> messages seconds */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 19];

int main(int count, char **words) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(words[1]) : 0)};
    char request[512];
    long messages = 0, left = 0, line = 0, size = 0;
    int phase = 0, last = 0, done = 0; /* 0 head, 1 size of a chunk, 2 its bytes, 3 its CRLF */
    struct timespec begun, ended;
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    if (count < 3) return 2;
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    if (connect(sock, (struct sockaddr *)&at, sizeof at)) return 1;
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", words[2]);
    if (write(sock, request, strlen(request)) < 0) return 1;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    while (!done) {
        ssize_t got = recv(sock, buffer, sizeof buffer, 0);
        char *at_byte = buffer, *end = buffer + got;
        if (got <= 0) break;
        while (at_byte < end && !done) {
            if (phase == 2) {
                long take = end - at_byte < left ? end - at_byte : left;
                char *stop = at_byte + take, *from = at_byte, *found;
                while ((found = memchr(from, '\n', stop - from))) {
                    int cr = found > at_byte ? found[-1] == '\r' : last == '\r';
                    if (cr) {
                        messages += line + (found - from) > 1;
                        line = 0;
                    } else {
                        line += found - from + 1;
                    }
                    from = found + 1;
                }
                line += stop - from;
                last = stop[-1];
                left -= take;
                at_byte = stop;
                if (!left) phase = 3;
            } else if (phase == 0) {
                static int seen;
                char c = *at_byte++;
                seen = c == "\r\n\r\n"[seen] ? seen + 1 : c == '\r';
                if (seen == 4) phase = 1, size = 0;
            } else if (phase == 1) {
                char c = *at_byte++;
                if (c == '\n') {
                    left = size;
                    size = 0;
                    phase = 2;
                    if (!left) done = 1;
                } else if (c != '\r') {
                    size = size * 16 + (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
                }
            } else if (*at_byte++ == '\n') {
                phase = 1;
            }
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%ld %.6f\n", messages,
           (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9);
    return 0;
}
