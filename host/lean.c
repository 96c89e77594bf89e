/* What a program without cairo, giflib and libmicrohttpd has in the stead of pictures and serve, each with a
 * message: linked before the rooms, it keeps the files that need these libraries out. The Python wheel's
 * program is such a one. */
#include "base/err.h"
#include "cmd/cmd.h"
#include "cmd/serve/serve_options.h"
#include "report/pictures.h"

static void warn_without(const char *what) {
    dun_warn("this dunlin was built without pictures: there will be no %s; output.pictures = no says so too",
             what);
}

int dun_run_pictures(const dun_run_dir *folder, const dun_run_data *run) {
    (void)folder;
    if (run->has_points)
        warn_without(run->n_scenes > 1 ? "scatter.png, scatter.svg, training.gif"
                                       : "scatter.png, scatter.svg");
    return DUN_OK;
}

int dun_flock_pictures(const dun_run_dir *run, const dun_flock *flock) {
    (void)run;
    (void)flock;
    warn_without("boids.gif");
    return DUN_OK;
}

static int serve(const dun_args *args) {
    (void)args;
    return dun_error(DUN_USAGE, "this dunlin was built without serve, which needs libmicrohttpd; "
                                "a dunlin that was built from source or installed as a package has it");
}

const dun_command dun_command_serve = {
    .name = "serve",
    .summary = "Not in this dunlin: it was built without libmicrohttpd.",
    .usage = "RUN",
    .help = "A dunlin that was built from source or installed as a package answers over HTTP.",
    .options = dun_serve_option_rows,
    .min_operands = 0,
    .max_operands = 1,
    .run = serve,
};
