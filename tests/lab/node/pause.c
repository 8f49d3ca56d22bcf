/* What keeps a pod's namespaces open: it sleeps until it is told to end, and collects the pod's orphans. */
#include <signal.h>
#include <sys/wait.h>

int main(void) {
    sigset_t awaited;
    int received;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGTERM);
    sigprocmask(SIG_BLOCK, &awaited, 0);
    while (sigwait(&awaited, &received) == 0 && received == SIGCHLD)
        while (waitpid(-1, 0, WNOHANG) > 0)
            ;
    return 0;
}
