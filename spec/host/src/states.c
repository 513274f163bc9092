/* More Lua states in the same process, each of which can run in a thread of its own. */

#include <pthread.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "states.h"

#define STATE "state"

/* A thread has no place for a Lua value of its starter: what it takes and gives lies on the stack of `L`. */
typedef struct {
  lua_State *L; /* NULL when closed */
  pthread_t thread;
  int threaded; /* the thread runs, or has ended and was not joined */
  int count;    /* arguments for the thread */
  int status;   /* what the thread ended with */
} State;

int add_traceback(lua_State *L) {
  const char *message = luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, L, message, 1);
  return 1;
}

/* Runs the function below its `count` arguments; leaves its first result, or its error. */
static int run(lua_State *L, int count) {
  int handler = lua_gettop(L) - count, status;
  lua_pushcfunction(L, add_traceback);
  lua_insert(L, handler);
  status = lua_pcall(L, count, 1, handler);
  lua_remove(L, handler);
  return status;
}

static State *check_state(lua_State *L) {
  State *state = luaL_checkudata(L, 1, STATE);
  luaL_argcheck(L, state->L != NULL, 1, "the state is closed");
  luaL_argcheck(L, !state->threaded, 1, "the state runs in its thread");
  return state;
}

/* Puts the compiled code and its arguments, all strings, from this state's stack onto the other one's. */
static int load(lua_State *L, State *state) {
  int count = lua_gettop(L) - 2, index;
  size_t length;
  const char *code = luaL_checklstring(L, 2, &length);
  for (index = 1; index <= count; index++)
    luaL_checkstring(L, index + 2);
  lua_settop(state->L, 0);
  if (!lua_checkstack(state->L, count + 10))
    return luaL_error(L, "too many arguments");
  if (luaL_loadbuffer(state->L, code, length, "=state") != LUA_OK)
    return luaL_error(L, "%s", lua_tostring(state->L, -1));
  for (index = 1; index <= count; index++) {
    const char *argument = lua_tolstring(L, index + 2, &length);
    lua_pushlstring(state->L, argument, length);
  }
  return count;
}

/* Returns the result, as a string or nil; raises the error. */
static int finish(lua_State *L, State *state, int status) {
  size_t length;
  const char *text = lua_tolstring(state->L, -1, &length);
  if (text == NULL)
    lua_pushnil(L);
  else
    lua_pushlstring(L, text, length);
  lua_settop(state->L, 0);
  return status == LUA_OK ? 1 : lua_error(L);
}

/* state:run(code, ...): runs code here and now. */
static int state_run(lua_State *L) {
  State *state = check_state(L);
  int count = load(L, state);
  return finish(L, state, run(state->L, count));
}

static void *run_thread(void *argument) {
  State *state = argument;
  state->status = run(state->L, state->count);
  return NULL;
}

/* state:start(code, ...): runs code in a thread. */
static int state_start(lua_State *L) {
  State *state = check_state(L);
  int error;
  state->count = load(L, state);
  error = pthread_create(&state->thread, NULL, run_thread, state);
  if (error != 0)
    return luaL_error(L, "cannot start a thread: %s", strerror(error));
  state->threaded = 1;
  return 0;
}

/* state:join(): waits for the thread's end; returns or raises what its code did. */
static int state_join(lua_State *L) {
  State *state = luaL_checkudata(L, 1, STATE);
  luaL_argcheck(L, state->threaded, 1, "the state has no thread");
  pthread_join(state->thread, NULL);
  state->threaded = 0;
  return finish(L, state, state->status);
}

/* state:close(): waits for its thread if it has one. */
static int state_close(lua_State *L) {
  State *state = luaL_checkudata(L, 1, STATE);
  if (state->threaded)
    pthread_join(state->thread, NULL);
  state->threaded = 0;
  if (state->L != NULL)
    lua_close(state->L);
  state->L = NULL;
  return 0;
}

static int open_libraries(lua_State *L) {
  luaL_openlibs(L);
  luaL_requiref(L, "states", luaopen_states, 0);
  return 0;
}

/* states.new(): a state with the standard libraries, and with the paths of this one. */
static int new_state(lua_State *L) {
  static const char *const paths[] = {"path", "cpath"};
  State *state = lua_newuserdatauv(L, sizeof *state, 0);
  size_t index;
  memset(state, 0, sizeof *state);
  luaL_setmetatable(L, STATE);
  state->L = luaL_newstate();
  if (state->L == NULL)
    return luaL_error(L, "no memory for a state");
  lua_pushcfunction(state->L, open_libraries);
  if (run(state->L, 0) != LUA_OK)
    return luaL_error(L, "%s", lua_tostring(state->L, -1));
  lua_getglobal(L, "package");
  lua_getglobal(state->L, "package");
  for (index = 0; index < sizeof paths / sizeof *paths; index++) {
    lua_getfield(L, -1, paths[index]);
    lua_pushstring(state->L, lua_tostring(L, -1));
    lua_setfield(state->L, -2, paths[index]);
    lua_pop(L, 1);
  }
  lua_settop(state->L, 0);
  lua_pop(L, 1);
  return 1;
}

int luaopen_states(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"run", state_run}, {"start", state_start}, {"join", state_join}, {"close", state_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"new", new_state}, {NULL, NULL}};
  luaL_newmetatable(L, STATE);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, state_close);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
