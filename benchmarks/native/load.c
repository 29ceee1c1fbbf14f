/* A gRPC load on one thread, in one of three ways:
 *
 *   -n CALLS              closed loop: -m calls in flight on each of -c connections until CALLS have ended
 *   -r RATE -t SECONDS    open loop: calls begin at times drawn beforehand (exponential gaps), on the
 *                         connections in turn; a latency counts from the time the call was due, so a slow
 *                         answer delays no later call and hides none (no coordinated omission)
 *   -H STREAMS            hold: open so many streams on each connection, and stay
 *
 * -s BYTES of a request message, -e BYTES of a complete response body (it is checked), -w CALLS of warm-up on
 * each connection, -v metadata that differs on each call, -p PATHS different methods, -k STEP between them.
 *
 * Prints `begin` when connections and warm-up are done, waits for a line, and prints a line of JSON at the end.
 */
#include "client.h"

#include <getopt.h>
#include <math.h>
#include <sys/timerfd.h>

static int connections = 1, in_flight = 1, warm_up = 0, hold = 0;
static long calls = 1000;
static double rate = 0, duration = 5;
static struct connection *all;

static long started, ended, errors, wanted;
static int measuring;
static float *latencies;
static int poll_fd, timer_fd;
static double next_due;
static long due_calls, first_waiting;
static double *due_times;

static void keep(double since) {
    if (measuring && ended < wanted) latencies[ended] = (seconds() - since) * 1e6;
    ended++;
}

static void call_ended(struct connection *connection, double since, int ok) {
    keep(since);
    if (!ok) errors++;
    if (rate == 0 && started < wanted) {
        started++;
        open_call(connection, seconds());
    }
}

static void connection_lost(struct connection *connection) {
    fprintf(stderr, "connection %ld of %d was lost with %d calls\n", connection - all, connections,
            connection->open);
    exit(3);
}

static void touch(struct connection *connection) {
    int rest = flush(connection->fd, &connection->out);
    if (rest < 0) connection_lost(connection);
    if (rest != connection->waits_for_room) {
        struct epoll_event event = {.events = EPOLLIN | (rest ? EPOLLOUT : 0), .data.ptr = connection};
        epoll_ctl(poll_fd, EPOLL_CTL_MOD, connection->fd, &event);
        connection->waits_for_room = rest;
    }
}

static void begin_due_calls(double now) {
    static long turn;
    while (due_calls < wanted && due_times[due_calls] <= now) due_calls++;
    while (first_waiting < due_calls) {
        int tries = 0;
        struct connection *connection;
        do connection = &all[turn++ % connections];
        while (!has_room(connection) && ++tries < connections);
        if (!has_room(connection)) return;
        open_call(connection, due_times[first_waiting++]);
        started++;
        touch(connection);
    }
}

static void arm(void) {
    struct itimerspec when = {0};
    if (due_calls >= wanted) return;
    next_due = due_times[due_calls];
    when.it_value.tv_sec = (time_t)next_due;
    when.it_value.tv_nsec = (next_due - floor(next_due)) * 1e9;
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Work until `wanted` calls have ended, or until `limit` seconds from now. */
static void work(double limit) {
    struct epoll_event events[256];
    double until = seconds() + limit;
    while (ended < wanted) {
        int ready = epoll_wait(poll_fd, events, 256, 1000);
        if (seconds() > until) {
            errors += wanted - ended;
            return;
        }
        for (int at = 0; at < ready; at++) {
            struct connection *connection = events[at].data.ptr;
            if (!connection) {
                uint64_t count;
                if (read(timer_fd, &count, sizeof count) < 0 && errno != EAGAIN) die("timer");
                continue;
            }
            if (events[at].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !readable(connection))
                connection_lost(connection);
            touch(connection);
        }
        if (rate > 0 && measuring) {
            begin_due_calls(seconds());
            arm();
        }
    }
}

static void fill(int each) {
    for (int at = 0; at < connections; at++) {
        for (int number = 0; number < each && started < wanted; number++) {
            if (!has_room(&all[at])) break;
            started++;
            open_call(&all[at], seconds());
        }
        touch(&all[at]);
    }
}

static void warm(void) {
    double kept_rate = rate;
    rate = 0;
    for (int number = 0; number < warm_up; number++)
        for (int first = 0; first < connections; first += 64) {
            int last = first + 64 < connections ? first + 64 : connections;
            started = ended = 0;
            wanted = last - first;
            for (int at = first; at < last; at++) {
                started++;
                open_call(&all[at], seconds());
                touch(&all[at]);
            }
            work(30);
        }
    rate = kept_rate;
}

static int by_value(const void *a, const void *b) {
    float left = *(const float *)a, right = *(const float *)b;
    return left < right ? -1 : left > right;
}

static double percentile(double share) {
    long at = (long)(ended * share);
    return latencies[at >= ended ? ended - 1 : at];
}

static void connect_all(const char *host, int port) {
    all = calloc(connections, sizeof *all);
    for (int at = 0; at < connections; at++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[at]};
        int slots = rate > 0 ? (connections > 64 ? 64 : 16384) : 2 * (hold > in_flight ? hold : in_flight);
        connect_to(&all[at], host, port, slots);
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, all[at].fd, &event);
        double until = seconds() + 10;
        while (!all[at].ready) {
            if (!readable(&all[at]) || seconds() > until) connection_lost(&all[at]);
            touch(&all[at]);
            if (!all[at].ready) usleep(50);
        }
    }
}

static void stay(void) {
    char line[8];
    half_open = 1;
    for (int at = 0; at < connections; at++) {
        for (int number = 0; number < hold; number++) open_call(&all[at], seconds());
        touch(&all[at]);
    }
    usleep(300000);
    printf("holding\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) && line[0] != '\n') continue;
    for (int at = 0; at < connections; at++)
        if (!readable(&all[at])) connection_lost(&all[at]);
    printf("{\"connections\": %d, \"streams\": %d}\n", connections, all[0].open);
}

static void draw_due_times(double from) {
    double at = from;
    srand48(7);
    due_times = malloc(sizeof *due_times * wanted);
    for (long number = 0; number < wanted; number++) {
        at += -log(1 - drand48()) / rate;
        due_times[number] = at;
    }
}

int main(int count, char **arguments) {
    char line[8];
    int option;
    while ((option = getopt(count, arguments, "c:m:n:r:t:H:s:e:w:vp:k:")) != -1) switch (option) {
        case 'c': connections = atoi(optarg); break;
        case 'm': in_flight = atoi(optarg); break;
        case 'n': calls = atol(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 't': duration = atof(optarg); break;
        case 'H': hold = atoi(optarg); break;
        case 's': request_bytes = atol(optarg); break;
        case 'e': expected_bytes = atol(optarg); break;
        case 'w': warm_up = atoi(optarg); break;
        case 'v': varying = 1; break;
        case 'p': paths = atoi(optarg); break;
        case 'k': path_step = atoi(optarg); break;
        default: return 2;
    }
    if (count - optind < 2) return 2;
    many_descriptors();
    poll_fd = epoll_create1(0);
    connect_all(arguments[optind], atoi(arguments[optind + 1]));
    if (count - optind > 2 || hold > 0) {
        stay();
        return 0;
    }
    warm();
    printf("begin\n");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) return 0;
    wanted = rate > 0 ? (long)(rate * duration) : calls;
    latencies = calloc(wanted, sizeof *latencies);
    started = ended = errors = 0;
    measuring = 1;
    double from = seconds();
    if (rate > 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
        timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &event);
        draw_due_times(from + 0.01);
        arm();
        work(duration * 3 + 10);
    } else {
        fill(in_flight);
        work(120);
    }
    double took = seconds() - from;
    if (ended == 0) return 3;
    qsort(latencies, ended < wanted ? ended : wanted, sizeof *latencies, by_value);
    printf("{\"calls\": %ld, \"errors\": %ld, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
           "\"p999_us\": %.1f}\n",
           ended, errors, took, percentile(0.5), percentile(0.99), percentile(0.999));
    return 0;
}
