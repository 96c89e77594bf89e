/* placeholder */
typedef int dun_placeholder;
